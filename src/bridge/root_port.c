/* SPDX-License-Identifier: BSD-3-Clause */
/* The CXL part of a root port: DVSECs 3, 4, 7, 8 and a component block with RAS. */
#include <cxlvm/bridge.h>

#include <errno.h>
#include <stdlib.h>

#include "base/math.h"
#include "regs/component.h"
#include "regs/dvsec.h"

#define PORT_RAS 0x80u /* in the CM area */

#define EXTENDED_CONFIG 0x100u
#define CONFIG_SIZE     0x1000u

static const struct dvsec port_dvsecs[] = {
	{ &dvsec_port_table, DVSEC_ID_PORT_EXTENSIONS, 0, 0x100 },
	{ &dvsec_gpf_port_table, DVSEC_ID_GPF_PORT, 0, 0x128 },
	{ &dvsec_flex_bus_table, DVSEC_ID_FLEX_BUS, 2, 0x138 },
	{ &dvsec_locator_table, DVSEC_ID_REGISTER_LOCATOR, 0, 0x158 },
	{ NULL, 0, 0, 0 },
};

#define PORT_LOCATOR 0x158u

struct cxlvm_root_port {
	unsigned int bar;
	uint32_t config[CONFIG_SIZE / 4];
	uint32_t cm[CM_DWORDS];
};

int cxlvm_root_port_create(unsigned int bar, struct cxlvm_root_port **port, struct cxlvm_error *err)
{
	static const struct cm_capability capabilities[] = { { CM_ID_RAS, PORT_RAS } };
	struct cxlvm_root_port *p;

	if (bar > 5)
		return cxlvm_error_set(err, -EINVAL, "root port: BAR %u is not one of 0 to 5", bar);
	p = calloc(1, sizeof(*p));
	if (!p)
		return cxlvm_error_set(err, -ENOMEM, "no memory for a root port");
	p->bar = bar;
	cm_array_build(p->cm, capabilities, 1);
	cxlvm_root_port_reset(p);
	*port = p;
	return 0;
}

void cxlvm_root_port_destroy(struct cxlvm_root_port *port)
{
	free(port);
}

void cxlvm_root_port_reset(struct cxlvm_root_port *port)
{
	dvsec_list_reset(port_dvsecs, port->config);
	reg_set(port->config, PORT_LOCATOR, &dvsec_locator_table.rows[LOCATOR_BAR], port->bar);
	regs_reset(&ras_table, port->cm, PORT_RAS);
}

static bool config_access_ok(uint32_t offset, unsigned int length)
{
	return offset >= EXTENDED_CONFIG && length <= 4 &&
	       regs_read_allowed(offset, length, CONFIG_SIZE);
}

uint32_t cxlvm_root_port_config_read(const struct cxlvm_root_port *port, uint32_t offset,
				     unsigned int length)
{
	if (!config_access_ok(offset, length))
		return (uint32_t)all_ones(length < 4 ? length : 4);
	return (uint32_t)regs_read(port->config, offset, length);
}

void cxlvm_root_port_config_write(struct cxlvm_root_port *port, uint32_t offset,
				  unsigned int length, uint32_t value)
{
	if (config_access_ok(offset, length))
		dvsec_list_write(port_dvsecs, port->config, offset, length, value);
}

uint64_t cxlvm_root_port_read(const struct cxlvm_root_port *port, uint64_t offset,
			      unsigned int length)
{
	if (!regs_read_allowed(offset, length, CXLVM_COMPONENT_BLOCK_SIZE))
		return all_ones(length);
	if (offset < CM_OFFSET || offset - CM_OFFSET >= CM_SIZE)
		return 0;
	return regs_read(port->cm, (uint32_t)(offset - CM_OFFSET), length);
}

void cxlvm_root_port_write(struct cxlvm_root_port *port, uint64_t offset, unsigned int length,
			   uint64_t value)
{
	if (!regs_write_allowed(offset, length, CXLVM_COMPONENT_BLOCK_SIZE))
		return;
	if (offset >= CM_OFFSET && offset - CM_OFFSET < CM_SIZE)
		regs_write(&ras_table, port->cm, PORT_RAS, (uint32_t)(offset - CM_OFFSET), length,
			   value);
}
