/* SPDX-License-Identifier: BSD-3-Clause */
/* Config space of the real device: what starts a reset, and what the CXL Device DVSEC is asked. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/math.h"
#include "passthrough/endpoint.h"
#include "regs/dvsec.h"
#include "regs/pci.h"

/* As many capabilities as can stand in 0x40 to 0xff, and so the bound of the walk. */
#define CAPABILITIES_MAX ((0x100 - 0x40) / 4)

static int config_read(struct cxlvm_endpoint *ep, uint32_t offset, uint32_t *value,
		       struct cxlvm_error *err)
{
	uint8_t bytes[4];
	int ret = ep->ops.read(ep->device, CXLVM_REGION_CONFIG, offset, bytes, sizeof(bytes));

	*value = ret ? 0 : get_le32(bytes);
	if (ret)
		return cxlvm_error_set(err, ret, "config space: read of 4 bytes at 0x%x: %s",
				       offset, strerror(-ret));
	return 0;
}

static int note(struct cxlvm_endpoint *ep, uint32_t at, uint8_t id, struct cxlvm_error *err)
{
	const struct reg_row *flr = &pcie_table.rows[PCIE_FLR_CAPABLE];
	uint32_t value;
	int ret;

	if (id == pm_table.rows[PM_CAP_ID].reset)
		ep->pm = (uint16_t)at;
	if (id != pcie_table.rows[PCIE_CAP_ID].reset)
		return 0;
	ret = config_read(ep, at + flr->offset, &value, err);
	if (ret)
		return ret;
	ep->pcie = (uint16_t)at;
	ep->flr_capable = value & reg_mask(flr);
	return 0;
}

int endpoint_find_capabilities(struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	uint32_t pointer, at;
	int ret = config_read(ep, pci_header_table.rows[PCI_CAP_POINTER].offset, &pointer, err);

	at = pointer & 0xfc;
	for (unsigned int i = 0; !ret && at; i++) {
		uint32_t header;

		if (i == CAPABILITIES_MAX || at < 0x40)
			return cxlvm_error_set(
				err, -EPROTO,
				"capabilities of config space form a loop or leave it "
				"(0x%x)",
				at);
		ret = config_read(ep, at, &header, err);
		if (!ret)
			ret = note(ep, at, header & 0xff, err);
		at = header >> 8 & 0xfc;
	}
	return ret;
}

bool endpoint_kernel_does_cxl_reset(const struct cxlvm_endpoint *ep)
{
	return ep->desc.generation == 2 || ep->desc.generation == 4;
}

bool endpoint_can_cxl_reset(const struct cxlvm_endpoint *ep)
{
	if (endpoint_kernel_does_cxl_reset(ep))
		return true;
	/* The reset of generation 3 is a function reset: memory keeps its content (RST-3). */
	return ep->desc.generation > 4 && ep->host_ops.device_reset;
}

int endpoint_dvsec_read16(struct cxlvm_endpoint *ep, uint32_t offset, uint16_t *value)
{
	uint8_t bytes[2];
	int ret = ep->ops.read(ep->device, CXLVM_REGION_CONFIG, ep->desc.dvsec + offset, bytes,
			       sizeof(bytes));

	*value = ret ? 0 : get_le16(bytes);
	return ret;
}

int endpoint_dvsec_write16(struct cxlvm_endpoint *ep, uint32_t offset, uint16_t value)
{
	uint8_t bytes[2];

	put_le16(bytes, value);
	return ep->ops.write(ep->device, CXLVM_REGION_CONFIG, ep->desc.dvsec + offset, bytes,
			     sizeof(bytes));
}

#define WRITE_BACK_TIMEOUT_MS 100

void endpoint_write_back(struct cxlvm_endpoint *ep)
{
	const struct reg_row *start = &dvsec_device_table.rows[CXLDEV_INITIATE_WB];
	const struct reg_row *done = &dvsec_device_table.rows[CXLDEV_CACHE_INVALID];
	uint64_t since = ep->host_ops.now_ns(ep->host);
	uint16_t status = 0;
	int ret;

	/* Newer kernels do it in their reset sequence (contract 10.2). */
	if (!ep->desc.kernel_decoder || !ep->desc.cache_capable)
		return;
	ret = endpoint_dvsec_write16(ep, start->offset, (uint16_t)(1u << start->lsb));
	while (!ret) {
		ret = endpoint_dvsec_read16(ep, done->offset, &status);
		if (ret || status >> done->lsb & 1 ||
		    elapsed_ms(ep, since) >= WRITE_BACK_TIMEOUT_MS)
			break;
		ep->host_ops.sleep_ms(ep->host, 1);
	}
	if (ret || !(status >> done->lsb & 1))
		endpoint_event(ep, CXLVM_EVENT_WARNING, ret,
			       "the device did not write back its caches before the reset");
}
