/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Device memory in the I/O address space of the device itself: a coherent accelerator translates a
 * guest address that points to its own memory, and without an entry that never resolves
 * (contract 8).
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/math.h"
#include "passthrough/endpoint.h"
#include "regs/pci.h"

/* After a reset the descriptors may be revoked for good: none outlives one (DMA-6). */
static void close_dma_bufs(struct cxlvm_endpoint *ep)
{
	for (size_t i = 0; i < ep->n_areas; i++) {
		if (ep->areas[i].dma_buf >= 0)
			close(ep->areas[i].dma_buf);
		ep->areas[i].dma_buf = -1;
	}
}

/* The kernel has no such feature, or not for this memory. */
static bool not_offered(int code)
{
	return code == -ENOTTY || code == -EOPNOTSUPP;
}

/* All areas as dma-buf, or none: *n tells how many (DMA-1). */
static int export_dma_bufs(struct cxlvm_endpoint *ep, size_t *n, struct cxlvm_error *err)
{
	*n = 0;
	for (size_t i = 0; ep->ops.dma_buf && i < ep->n_areas; i++) {
		struct cxlvm_memory_area *area = &ep->areas[i];
		int fd = ep->ops.dma_buf(ep->device, ep->desc.memory_region, area->offset.value,
					 area->size);

		if (fd >= 0) {
			area->dma_buf = fd;
			continue;
		}
		close_dma_bufs(ep);
		if (not_offered(fd))
			return 0;
		return cxlvm_error_set(err, fd, "%s: exporting device memory as dma-buf: %s",
				       ep->name, strerror(-fd));
	}
	*n = ep->ops.dma_buf ? ep->n_areas : 0;
	return 0;
}

/* Does the device translate addresses itself? Then memory without an entry is a dead end. */
static int ats_enabled(struct cxlvm_endpoint *ep, bool *enabled, struct cxlvm_error *err)
{
	const struct reg_row *row = &ats_table.rows[ATS_ENABLE];
	uint8_t bytes[2];
	int ret;

	*enabled = false;
	if (!ep->desc.ats)
		return 0;
	ret = ep->ops.read(ep->device, CXLVM_REGION_CONFIG, ep->desc.ats + row->offset, bytes,
			   sizeof(bytes));
	if (ret)
		return cxlvm_error_set(err, ret, "%s: reading ATS control: %s", ep->name,
				       strerror(-ret));
	*enabled = get_le16(bytes) >> row->lsb & 1;
	return 0;
}

static void warn_once(struct cxlvm_endpoint *ep, int code, const char *text)
{
	if (!ep->dma_warned)
		endpoint_event(ep, CXLVM_EVENT_WARNING, code, text);
	ep->dma_warned = true;
}

/* The host cannot map this memory: fatal only for a device that needs it (DMA-2). */
static int refuse_or_warn(struct cxlvm_endpoint *ep, int code, const struct cxlvm_error *why,
			  struct cxlvm_error *err)
{
	bool needed = ep->require_dma;
	int ret = needed ? 0 : ats_enabled(ep, &needed, err);

	if (ret)
		return ret;
	if (!needed) {
		warn_once(ep, code, why->message);
		return 0;
	}
	cxlvm_error_set(err, code, "%s (%s)", why->message,
			ep->require_dma ? "require-dma" : "the device has ATS enabled");
	cxlvm_error_hint(err, "%s", why->hint);
	return code;
}

static int map_failed(struct cxlvm_endpoint *ep, int code, const struct cxlvm_error *by_host,
		      size_t n_dma_bufs, struct cxlvm_error *err)
{
	const char *reason = by_host->message[0] ? by_host->message : strerror(-code);
	struct cxlvm_error why = CXLVM_ERROR_INIT;

	close_dma_bufs(ep);
	if (code == -EFAULT && !n_dma_bufs) {
		/* DMA-8. */
		cxlvm_error_set(&why, code,
				"%s: the kernel cannot map device memory for DMA by address, and "
				"lacks dma-buf export of it (VFIO_DEVICE_FEATURE_DMA_BUF): %.80s",
				ep->name, reason);
		cxlvm_error_hint(&why, "use a kernel with that feature for CXL memory and "
				       "IOMMU_IOAS_MAP_FILE, or a VFIO type1 container");
	} else {
		cxlvm_error_set(&why, code, "%s: mapping device memory for DMA%s: %.128s", ep->name,
				n_dma_bufs ? " as dma-buf" : "", reason);
		cxlvm_error_hint(&why, "look at the kernel log of the host");
	}
	/* Only "it cannot be done" is a state to live with; all else went wrong. */
	if (code == -EFAULT || not_offered(code))
		return refuse_or_warn(ep, code, &why, err);
	cxlvm_error_set(err, code, "%s", why.message);
	cxlvm_error_hint(err, "%s", why.hint);
	return code;
}

/* Never skipped because of who owns the memory (DMA-3). */
int endpoint_dma_map(struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	struct cxlvm_error local = CXLVM_ERROR_INIT;
	size_t n_dma_bufs;
	int ret;

	if (!ep->host_ops.dma_map)
		return 0;
	ret = export_dma_bufs(ep, &n_dma_bufs, err);
	if (ret)
		return ret;
	ret = ep->host_ops.dma_map(ep->host, ep->areas, ep->n_areas, &local);
	if (ret)
		return map_failed(ep, ret, &local, n_dma_bufs, err);
	ep->dma_mapped = true;
	TRACE(ep, DMA_MAP, ep->areas[0].guest.value, endpoint_areas_size(ep), ep->n_areas,
	      n_dma_bufs);
	return 0;
}

int endpoint_dma_check(struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	/* Whoever maps when asked to, and is not asked in vain, need not be asked again. */
	enum cxlvm_dma_state state = ep->dma_mapped ? CXLVM_DMA_MAPPED : CXLVM_DMA_UNKNOWN;
	struct cxlvm_error why = CXLVM_ERROR_INIT;

	if (ep->host_ops.dma_state)
		state = ep->host_ops.dma_state(ep->host);
	if (state == CXLVM_DMA_MAPPED)
		return 0;
	cxlvm_error_set(&why, -EADDRNOTAVAIL,
			state == CXLVM_DMA_NOT_MAPPED
				? "%s: device memory is not mapped for DMA"
				: "%s: it is not known whether device memory is mapped for DMA",
			ep->name);
	cxlvm_error_hint(&why, "the host has to map device memory into the I/O address space of "
			       "the device; require-dma=auto does without it");
	/* What is not known is a reason to fail only for who asked for certainty. */
	if (state == CXLVM_DMA_NOT_MAPPED || ep->require_dma)
		return refuse_or_warn(ep, why.code, &why, err);
	warn_once(ep, 0, why.message);
	return 0;
}

/* DMA-4, DMA-5: exactly what was mapped, and after the CPU. */
void endpoint_dma_withdraw(struct cxlvm_endpoint *ep)
{
	if (ep->dma_mapped) {
		ep->host_ops.dma_unmap(ep->host, ep->areas, ep->n_areas);
		TRACE(ep, DMA_UNMAP, ep->areas[0].guest.value, endpoint_areas_size(ep));
	}
	ep->dma_mapped = false;
	close_dma_bufs(ep);
}
