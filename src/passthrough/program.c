/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The programming transaction (contract 6.3): a table of steps, each with its undo. Either all of
 * them succeed, or those that did are undone in reverse.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/math.h"
#include "decoder/decoder.h"
#include "passthrough/endpoint.h"

struct transaction {
	struct cxlvm_endpoint *ep;
	enum cxlvm_reset_kind kind;
	bool commit;                    /* asked for by the guest, which waits for it */
	struct decoder_setting setting; /* size 0: nothing is to be mapped (policy guest) */
	bool memory_space;              /* as it was */
	bool map_created;
	struct kernel_decoder kernel;
	uint32_t hdm[DECODER_DWORDS]; /* as it was before it was published */
	bool was_usable;
	bool was_revoked;
};

/* Between resets only: what the guest commits has to be there at once. */
static int validate_commit(const struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	if (!ep->machine_done || ep->pending != CXLVM_RESET_NONE)
		return cxlvm_error_set(err, -EBUSY, "%s: decoder 0 committed during a reset",
				       ep->name);
	/* What was taken away between resets may be back: the device is asked. */
	if (ep->unusable[0] && !ep->revoked)
		return cxlvm_error_set(err, -ENXIO, "%s", ep->unusable);
	return 0;
}

/* What the guest has committed or is about to. */
static int validate_guest(struct transaction *t, struct cxlvm_error *err)
{
	struct cxlvm_endpoint *ep = t->ep;
	int ret = t->commit ? validate_commit(ep, err) : 0;

	if (ret || (!t->commit && !decoder_is_committed(ep->state.hdm)))
		return ret;
	t->setting.base = decoder_base(ep->state.hdm);
	t->setting.size = decoder_size(ep->state.hdm);
	return endpoint_check_commit(ep, err);
}

/* Section 4 and 6.4 once more, with the values that will be used. */
static int validate(struct transaction *t, struct cxlvm_error *err)
{
	struct cxlvm_endpoint *ep = t->ep;
	struct window_request request = endpoint_window_request(ep);
	uint32_t hdm[DECODER_DWORDS];
	int ret;

	if (ep->decoder == CXLVM_DECODER_GUEST)
		return validate_guest(t, err);
	ret = window_check(ep->machine, &request, &ep->hold, err);
	if (ret)
		return ret;
	t->setting = (struct decoder_setting){
		.base = endpoint_base(ep).value,
		.size = ep->desc.memory_size,
	};
	/* On a copy: what cannot be committed is found before anything changes. */
	decoder_reset(hdm, ep->desc.hdm_capability);
	ret = decoder_commit_locked(hdm, &t->setting);
	if (ret)
		return cxlvm_error_set(err, ret,
				       "%s: window base and size are not multiples of "
				       "256 MiB",
				       ep->name);
	return 0;
}

static int memory_space(struct transaction *t, struct cxlvm_error *err)
{
	return endpoint_memory_space_on(t->ep, &t->memory_space, err);
}

static void undo_memory_space(struct transaction *t)
{
	endpoint_memory_space_restore(t->ep, t->memory_space);
}

/* How long a device may take until its decoder is committed again, and how often it is asked. */
#define READY_TIMEOUT_MS 2000
#define READY_PAUSE_MS   10

static int ask_once(struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	/* Negative: the device does not know, and the decoder tells. */
	if (ep->ops.usable && !ep->ops.usable(ep->device)) {
		int ret = endpoint_unusable(ep, -ENXIO, "the device memory is not usable", err);

		cxlvm_error_hint(err, "the real HDM decoder 0 is not committed, or media is not "
				      "ready: reset the device; if that does not help, the host");
		return ret;
	}
	return vfio_decoder_check(&ep->ops, ep->device, &ep->desc, err);
}

/* Not committed yet, or "again": wait. Everything else is final. */
static int wait_ready(struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	uint64_t start = ep->host_ops.now_ns(ep->host);

	for (;;) {
		struct cxlvm_error local = CXLVM_ERROR_INIT;
		int ret = ask_once(ep, &local);

		if (!ret)
			return 0;
		if ((ret != -ENXIO && ret != -EAGAIN) ||
		    elapsed_ms(ep, start) >= READY_TIMEOUT_MS) {
			cxlvm_error_set(err, ret, "%s", local.message);
			if (local.hint[0])
				cxlvm_error_hint(err, "%s", local.hint);
			return ret;
		}
		ep->host_ops.sleep_ms(ep->host, READY_PAUSE_MS);
	}
}

static int ask_device(struct transaction *t, struct cxlvm_error *err)
{
	struct cxlvm_endpoint *ep = t->ep;
	struct cxlvm_error local = CXLVM_ERROR_INIT;

	if (t->commit)
		return ask_once(ep, err);
	/* A hot reset can lose the decoder; a reset of the device brings it back (10.1). */
	if (t->kind == CXLVM_RESET_HOT && ep->host_ops.device_reset &&
	    wait_ready(ep, &local) == -ENXIO)
		(void)ep->host_ops.device_reset(ep->host, CXLVM_RESET_FUNCTION);
	return wait_ready(ep, err);
}

static int create_map(struct transaction *t, struct cxlvm_error *err)
{
	int ret;

	if (t->ep->n_areas || !t->setting.size)
		return 0;
	ret = endpoint_map_create(t->ep, (struct cxlvm_gpa){ t->setting.base }, t->setting.size,
				  err);
	t->map_created = !ret;
	return ret;
}

static void undo_map(struct transaction *t)
{
	if (t->map_created)
		endpoint_map_destroy(t->ep);
}

static int kernel_decoder(struct transaction *t, struct cxlvm_error *err)
{
	/* Generations 3 to 6 are never written. */
	if (!t->ep->desc.kernel_decoder || !t->setting.size)
		return 0;
	return kernel_decoder_program(t->ep, (struct cxlvm_gpa){ t->setting.base }, &t->kernel,
				      err);
}

static void undo_kernel_decoder(struct transaction *t)
{
	kernel_decoder_restore(t->ep, &t->kernel);
}

static int map_dma(struct transaction *t, struct cxlvm_error *err)
{
	return t->setting.size ? endpoint_dma_map(t->ep, err) : 0;
}

static void undo_dma(struct transaction *t)
{
	endpoint_dma_withdraw(t->ep);
}

/*
 * Linux reads the host bridge's decoder once per boot: it changes only there. With policy guest it is
 * the guest's.
 */
static bool mirrors_bridge(const struct transaction *t)
{
	return t->ep->decoder == CXLVM_DECODER_LOCKED &&
	       (t->kind == CXLVM_RESET_SYSTEM || t->kind == CXLVM_RESET_WAKEUP);
}

static int publish_bridge(struct transaction *t, struct cxlvm_error *err)
{
	struct cxlvm_endpoint *ep = t->ep;
	struct cxlvm_bridge_decoder decoder = {
		.base = { t->setting.base },
		.size = t->setting.size,
		.port = ep->port,
	};
	uint32_t hdm[DECODER_DWORDS];
	int ret;

	if (!mirrors_bridge(t))
		return 0;
	decoder_reset(hdm, 0);
	(void)decoder_commit_locked(hdm, &t->setting); /* validated */
	decoder.control = decoder_control(hdm);
	decoder.global_control = decoder_global_control(hdm);
	ret = ep->host_ops.bridge_decoder(ep->host, ep->bridge_uid, &decoder);
	if (ret) {
		const struct cxlvm_window *window = window_info(ep->machine, &ep->hold);

		cxlvm_error_set(err, ret,
				"%s: host bridge %u cannot show its HDM decoder 0 committed over "
				"0x%" PRIx64 "-0x%" PRIx64 " of window 0x%" PRIx64 "-0x%" PRIx64
				": %s",
				ep->name, ep->bridge_uid, t->setting.base,
				t->setting.base + (t->setting.size - 1), window->base.value,
				window->base.value + (window->size - 1), strerror(-ret));
		cxlvm_error_hint(err, "the host bridge needs an HDM decoder capability even with "
				      "one root port");
	}
	return ret;
}

static void undo_publish(struct transaction *t)
{
	struct cxlvm_endpoint *ep = t->ep;

	endpoint_map_off(ep, CXLVM_MAP_UNDONE);
	flag_set(&ep->state.usable, t->was_usable);
	ep->revoked = t->was_revoked;
	/* Not committed before the range goes away. */
	reg_store(&ep->state.hdm[HDM_CTL_COMMIT_AT / 4], t->hdm[HDM_CTL_COMMIT_AT / 4]);
	for (unsigned int i = 0; i < DECODER_DWORDS; i++)
		reg_store(&ep->state.hdm[i], t->hdm[i]);
}

/* Registers and map change together. */
static int publish(struct transaction *t, struct cxlvm_error *err)
{
	struct cxlvm_endpoint *ep = t->ep;
	const uint32_t *hdm = ep->state.hdm;
	int ret;

	memcpy(t->hdm, hdm, sizeof(t->hdm));
	t->was_usable = flag_is_set(&ep->state.usable);
	t->was_revoked = ep->revoked;
	ep->revoked = false;
	ep->unusable[0] = '\0';
	flag_set(&ep->state.usable, true);
	/* Another vCPU that polls for committed finds the memory there. */
	if (ep->decoder == CXLVM_DECODER_LOCKED)
		endpoint_map_ahead(ep, CXLVM_MAP_RESET);
	else if (t->commit)
		endpoint_map_ahead(ep, CXLVM_MAP_REGISTERS);
	else
		endpoint_map_update(ep, CXLVM_MAP_RESET);
	ret = endpoint_map_check(ep, err);
	if (ret) {
		undo_publish(t);
		return ret;
	}
	if (ep->decoder == CXLVM_DECODER_LOCKED)
		(void)decoder_commit_locked(ep->state.hdm, &t->setting); /* validated */
	else if (t->commit)
		decoder_commit(ep->state.hdm);
	if (ep->decoder == CXLVM_DECODER_LOCKED)
		TRACE(ep, LOCKED_HDM, t->setting.base, (uint32_t)decoder_base(hdm),
		      decoder_base(hdm) >> 32, decoder_control(hdm));
	return 0;
}

static const struct {
	int (*run)(struct transaction *t, struct cxlvm_error *err);
	void (*undo)(struct transaction *t);
} steps[] = {
	{ validate, NULL },
	{ memory_space, undo_memory_space },
	{ ask_device, NULL },
	{ create_map, undo_map },
	{ kernel_decoder, undo_kernel_decoder },
	{ map_dma, undo_dma },
	{ publish_bridge, NULL },
	{ publish, NULL },
};

static int run(struct transaction *t, struct cxlvm_error *err)
{
	static const struct cxlvm_bridge_decoder not_committed;
	struct cxlvm_endpoint *ep = t->ep;
	unsigned int i;
	int ret = 0;

	ep->programming = true;
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		ret = steps[i].run(t, err);
		if (ret)
			break;
	}
	if (ret) {
		TRACE(ep, PROGRAM_FAILED, i, (uint64_t)-ret);
		while (i--)
			if (steps[i].undo)
				steps[i].undo(t);
		/* Endpoint and host bridge agree after each system reset, also in this. */
		if (mirrors_bridge(t))
			(void)ep->host_ops.bridge_decoder(ep->host, ep->bridge_uid, &not_committed);
	}
	ep->programming = false;
	return ret;
}

int endpoint_program(struct cxlvm_endpoint *ep, enum cxlvm_reset_kind kind, struct cxlvm_error *err)
{
	struct transaction t = { .ep = ep, .kind = kind };

	return run(&t, err);
}

int endpoint_program_commit(struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	struct transaction t = { .ep = ep, .kind = CXLVM_RESET_NONE, .commit = true };

	return run(&t, err);
}
