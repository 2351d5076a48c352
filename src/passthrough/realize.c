/* SPDX-License-Identifier: BSD-3-Clause */
/* Beginning and end of an endpoint: realize, machine done, unrealize, free. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "base/sized.h"
#include "decoder/decoder.h"
#include "passthrough/endpoint.h"
#include "regs/dvsec.h"
#include "regs/pci.h"

static int check_config(const struct cxlvm_endpoint_config *config, struct cxlvm_error *err)
{
	const char *name = config->name;

	if (!name || !*name || strlen(name) >= CXLVM_NAME_MAX)
		return cxlvm_error_set(err, -EINVAL,
				       "endpoint with a name of %zu bytes, not 1 to %u",
				       name ? strlen(name) : 0, CXLVM_NAME_MAX - 1);
	if (!is_power_of_two(config->page_size) || config->page_size < 4096 ||
	    config->page_size > 65536)
		return cxlvm_error_set(err, -EINVAL,
				       "%s: host page size %" PRIu64
				       " is not a power of two from 4096 to 65536",
				       name, config->page_size);
	if (config->decoder != CXLVM_DECODER_LOCKED && config->decoder != CXLVM_DECODER_GUEST)
		return cxlvm_error_set(err, -EINVAL, "%s: %d is no decoder policy", name,
				       (int)config->decoder);
	if (config->n_iova > IOVA_RANGES_MAX || config->n_exclude > EXCLUDES_MAX)
		return cxlvm_error_set(
			err, -EINVAL,
			"%s: %zu I/O address ranges and %zu excluded ranges, at most "
			"%u and %u",
			name, config->n_iova, config->n_exclude, IOVA_RANGES_MAX, EXCLUDES_MAX);
	if (config->mode != CXLVM_CXL_AUTO && config->mode != CXLVM_CXL_ON &&
	    config->mode != CXLVM_CXL_OFF)
		return cxlvm_error_set(err, -EINVAL,
				       "%s: CXL mode %d is not auto, on or off (0 to 2)", name,
				       (int)config->mode);
	if (config->window && strlen(config->window) >= CXLVM_NAME_MAX)
		return cxlvm_error_set(err, -EINVAL,
				       "%s: name of the window has %zu bytes, at most %u", name,
				       strlen(config->window), CXLVM_NAME_MAX - 1);
	for (size_t i = 0; i < config->n_exclude; i++)
		if (!range_is_valid(config->exclude[i].offset, config->exclude[i].size))
			return cxlvm_error_set(err, -EINVAL,
					       "%s: excluded range 0x%" PRIx64 "+0x%" PRIx64
					       " of BAR %u is empty or wraps around",
					       name, config->exclude[i].offset,
					       config->exclude[i].size, config->exclude[i].bar);
	return 0;
}

static int check_ops(const struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	const struct cxlvm_device_ops *d = &ep->ops;
	const struct cxlvm_host_ops *h = &ep->host_ops;

	if (!d->info || !d->region_info || !d->read || !d->write || !d->map || !d->unmap)
		return cxlvm_error_set(err, -EINVAL, "%s: a device operation is missing", ep->name);
	if (!h->prepare || !h->release || !h->enable || !h->disable || !h->now_ns || !h->sleep_ms ||
	    !h->dma_map != !h->dma_unmap ||
	    (!h->bridge_decoder && ep->decoder == CXLVM_DECODER_LOCKED))
		return cxlvm_error_set(err, -EINVAL, "%s: a host operation is missing", ep->name);
	return 0;
}

static void take_config(struct cxlvm_endpoint *ep, const struct cxlvm_endpoint_config *config)
{
	snprintf(ep->name, sizeof(ep->name), "%s", config->name);
	ep->bridge_uid = config->bridge_uid;
	ep->port = config->port;
	ep->decoder = config->decoder;
	ep->page_size = config->page_size;
	ep->has_window_base = config->has_window_base;
	ep->window_base = config->window_base;
	ep->n_iova = config->n_iova;
	for (size_t i = 0; i < config->n_iova; i++)
		ep->iova[i] = config->iova[i];
	ep->n_exclude = config->n_exclude;
	for (size_t i = 0; i < config->n_exclude; i++)
		ep->exclude[i] = config->exclude[i];
	snprintf(ep->window_name, sizeof(ep->window_name), "%s",
		 config->window ? config->window : "");
	ep->require_dma = config->require_dma;
	ep->allow_slow = config->allow_slow;
}

struct window_request endpoint_window_request(const struct cxlvm_endpoint *ep)
{
	return (struct window_request){
		.owner = ep->name,
		.bridge_uid = ep->bridge_uid,
		.size = ep->desc.memory_size,
		.base = ep->has_window_base ? &ep->window_base : NULL,
		.restrictions = cxlvm_endpoint_restrictions(ep),
		.iova = ep->iova,
		.n_iova = ep->n_iova,
		.name = ep->window_name,
	};
}

struct cxlvm_gpa endpoint_base(const struct cxlvm_endpoint *ep)
{
	return ep->has_window_base ? ep->window_base : window_info(ep->machine, &ep->hold)->base;
}

int endpoint_check_iova(const struct cxlvm_endpoint *ep, struct cxlvm_gpa base, uint64_t size,
			struct cxlvm_error *err)
{
	uint64_t last = base.value + (size - 1);
	const struct cxlvm_iova_range *end;

	for (size_t i = 0; i < ep->n_iova; i++)
		if (ep->iova[i].first.value <= base.value && last <= ep->iova[i].last.value)
			return 0;
	if (!ep->n_iova)
		return 0;
	end = &ep->iova[ep->n_iova - 1];
	cxlvm_error_set(err, -ERANGE,
			"%s: device memory at 0x%" PRIx64 "-0x%" PRIx64
			" is in none of the %zu usable I/O address ranges (the first is 0x%" PRIx64
			"-0x%" PRIx64 ", the last 0x%" PRIx64 "-0x%" PRIx64 ")",
			ep->name, base.value, last, ep->n_iova, ep->iova[0].first.value,
			ep->iova[0].last.value, end->first.value, end->last.value);
	cxlvm_error_hint(err, "give the window a base inside one of them");
	return -ERANGE;
}

/* The window is ours at its final place. */
static void publish_base(struct cxlvm_endpoint *ep)
{
	__atomic_store_n(&ep->base, endpoint_base(ep).value, __ATOMIC_RELEASE);
	TRACE(ep, WINDOW_CLAIMED, ep->base, ep->desc.memory_size);
}

/* The window: reserved until the map is final, matched and claimed when it is. */
static int take_window(struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	struct window_request request = endpoint_window_request(ep);
	int ret;

	if (!cxlvm_machine_is_frozen(ep->machine)) {
		ret = window_reserve(ep->machine, &request, &ep->hold, err);
		if (!ret)
			TRACE(ep, WINDOW_RESERVED, request.size);
		return ret;
	}
	ret = window_match(ep->machine, &request, &ep->hold, err);
	if (!ret)
		ret = endpoint_check_iova(ep, endpoint_base(ep), request.size, err);
	if (!ret)
		ret = window_claim(ep->machine, &ep->hold, ep->name, err);
	if (ret) {
		window_release(ep->machine, &ep->hold);
		return ret;
	}
	publish_base(ep);
	return 0;
}

/* Whether the CXL configuration of the device is locked for good (8.1.3.6). */
static int read_config_lock(struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	uint8_t bytes[2];
	uint32_t at = ep->desc.dvsec + dvsec_device_table.rows[CXLDEV_CONFIG_LOCK].offset;
	int ret = ep->ops.read(ep->device, CXLVM_REGION_CONFIG, at, bytes, sizeof(bytes));

	if (ret)
		return cxlvm_error_set(err, ret, "config space: read of 2 bytes at 0x%x: %s", at,
				       strerror(-ret));
	ep->real_lock = get_le16(bytes) & 1;
	return 0;
}

static int discover(struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	const struct vfio_description *desc = &ep->desc;
	int ret =
		vfio_describe(&ep->ops, ep->device, ep->page_size, ep->allow_slow, &ep->desc, err);

	if (!ret)
		ret = read_config_lock(ep, err);
	if (!ret)
		ret = endpoint_find_capabilities(ep, err);
	if (!ret)
		ret = endpoint_build_spans(ep, err);
	if (ret)
		return ret;
	TRACE(ep, DETECTED, desc->generation, desc->flags);
	TRACE(ep, REGIONS, desc->memory_region, desc->memory_size, desc->regs_region,
	      desc->n_areas);
	TRACE(ep, SETUP_PARAMS, desc->bar, desc->hdm_offset, desc->hdm_size, desc->memory_size);
	for (size_t i = 0; i < ep->n_spans; i++)
		TRACE(ep, BAR_SUBREGION, ep->spans[i].bar, ep->spans[i].offset, ep->spans[i].size);
	return 0;
}

/* What contract 1 says about the mode and the CXL flag of the device. */
static int decide_mode(struct cxlvm_endpoint *ep, enum cxlvm_cxl_mode mode, struct cxlvm_error *err)
{
	bool cxl;
	int ret;

	/* Without the flag the reader refuses it, and says what it saw. */
	if (mode == CXLVM_CXL_ON)
		return 0;
	ret = vfio_is_cxl(&ep->ops, ep->device, &cxl, err);
	if (ret)
		return ret;
	ep->plain = mode == CXLVM_CXL_OFF || !cxl;
	return ep->plain && cxl ? endpoint_hide(ep, err) : 0;
}

/* Everything of a device in CXL mode; on failure nothing of it is left. */
static int realize_cxl(struct cxlvm_endpoint *ep, bool hotplug, struct cxlvm_error *err)
{
	bool memory_space;
	int ret;

	if (hotplug) {
		cxlvm_error_set(err, -EOPNOTSUPP,
				"%s: a CXL device cannot be added to a running machine", ep->name);
		cxlvm_error_hint(err, "add it before the machine is started, or with cxl=off");
		return -EOPNOTSUPP;
	}
	ret = endpoint_memory_space_on(ep, &memory_space, err);
	if (ret)
		return ret;
	ret = discover(ep, err);
	if (!ret)
		ret = take_window(ep, err);
	if (ret)
		endpoint_memory_space_restore(ep, memory_space);
	else
		endpoint_state_reset(ep);
	return ret;
}

int cxlvm_endpoint_realize(struct cxlvm_machine *machine, const struct cxlvm_endpoint_config *given,
			   const struct cxlvm_device_ops *ops, void *device,
			   const struct cxlvm_host_ops *host_ops, void *host,
			   struct cxlvm_endpoint **endpoint, struct cxlvm_error *err)
{
	struct cxlvm_endpoint_config taken, *config = &taken;
	struct cxlvm_endpoint *ep;
	int ret = sized_config_take(config, sizeof(*config),
				    SIZE_WITH(struct cxlvm_endpoint_config, page_size), given,
				    "endpoint", err);

	if (!ret)
		ret = check_config(config, err);
	if (ret) {
		cxlvm_error_hint(err, "see struct cxlvm_endpoint_config in cxlvm/passthrough.h");
		return ret;
	}
	ep = calloc(1, sizeof(*ep));
	if (!ep)
		goto no_memory;
	ep->machine = machine;
	ep->device = device;
	ep->host = host;
	sized_table_take(&ep->ops, sizeof(ep->ops), ops);
	sized_table_take(&ep->host_ops, sizeof(ep->host_ops), host_ops);
	take_config(ep, config);
	ret = check_ops(ep, err);
	if (!ret)
		ret = decide_mode(ep, config->mode, err);
	if (!ret && !ep->plain)
		ret = realize_cxl(ep, config->hotplug, err);
	if (ret) {
		endpoint_complete_error(ep, err);
		free(ep);
		return ret;
	}
	*endpoint = ep;
	return 0;
no_memory:
	cxlvm_error_set(err, -ENOMEM, "%s: no memory for an endpoint of %zu bytes", config->name,
			sizeof(*ep));
	cxlvm_error_hint(err, "free memory of the host");
	return -ENOMEM;
}

int cxlvm_endpoint_machine_done(struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	struct window_request request = endpoint_window_request(ep);
	int ret;

	if (is_dark(ep))
		return cxlvm_error_set(err, -ENODEV, "%s: the device is gone", ep->name);
	if (ep->plain)
		return 0;
	if (!cxlvm_machine_is_frozen(ep->machine)) {
		cxlvm_error_set(err, -EAGAIN, "%s: window of 0x%" PRIx64 " has no address yet",
				ep->name, request.size);
		cxlvm_error_hint(err, "freeze the machine first");
		return -EAGAIN;
	}
	ret = window_check(ep->machine, &request, &ep->hold, err);
	if (!ret)
		ret = endpoint_check_iova(ep, endpoint_base(ep), request.size, err);
	if (!ret && !ep->hold.claimed) {
		ret = window_claim(ep->machine, &ep->hold, ep->name, err);
		if (!ret)
			publish_base(ep);
	}
	if (ret)
		endpoint_complete_error(ep, err);
	else
		ep->machine_done = true;
	return ret;
}

static void trace_counters(struct cxlvm_endpoint *ep)
{
	struct cxlvm_endpoint_counters c;

	cxlvm_endpoint_get_counters(ep, &c, sizeof(c));
	TRACE(ep, COUNTERS, c.writes, c.bad_accesses, c.device_errors, c.programmed,
	      c.program_failures);
}

void cxlvm_endpoint_unrealize(struct cxlvm_endpoint *ep)
{
	if (!ep || is_dark(ep))
		return;
	/* First dark, so that no register read begins that would reach the device. */
	__atomic_store_n(&ep->dark, true, __ATOMIC_RELEASE);
	if (ep->plain)
		return;
	endpoint_map_disable(ep, CXLVM_MAP_UNREALIZE);
	endpoint_dma_withdraw(ep);
	decoder_decommit(ep->state.hdm);
	__atomic_store_n(&ep->base, 0, __ATOMIC_RELEASE);
	window_release(ep->machine, &ep->hold);
	ep->machine_done = false;
	TRACE(ep, WINDOW_RELEASED);
	trace_counters(ep);
	TRACE(ep, PUT_DEVICE);
}

void cxlvm_endpoint_free(struct cxlvm_endpoint *ep)
{
	if (!ep)
		return;
	cxlvm_endpoint_unrealize(ep);
	endpoint_map_destroy(ep);
	free(ep);
}
