/* SPDX-License-Identifier: BSD-3-Clause */
/* The CXL part of a root port: DVSECs 3, 4, 7, 8 and a component block with RAS. */
#include <cxlvm/bridge.h>

#include <errno.h>
#include <stdlib.h>

#include "base/math.h"
#include "base/sized.h"
#include "regs/component.h"
#include "regs/dvsec.h"

#define PORT_RAS 0x80u /* in the CM area */

#define EXTENDED_CONFIG 0x100u
#define CONFIG_SIZE     0x1000u

/* The DVSECs in the order they stand, one after the other. */
static const struct dvsec port_dvsecs[] = {
	{ &dvsec_port_table, DVSEC_ID_PORT_EXTENSIONS, 0, 0, 0 },
	{ &dvsec_gpf_port_table, DVSEC_ID_GPF_PORT, 0, 0, 0 },
	{ &dvsec_flex_bus_table, DVSEC_ID_FLEX_BUS, 2, 0, 0 },
	{ &dvsec_locator_table, DVSEC_ID_REGISTER_LOCATOR, 0, 0, 0 },
};

#define N_DVSECS (sizeof(port_dvsecs) / sizeof(port_dvsecs[0]))
#define LOCATOR  (N_DVSECS - 1)

struct cxlvm_root_port {
	unsigned int bar;
	uint16_t first;
	struct dvsec dvsecs[N_DVSECS + 1]; /* ends with table NULL */
	uint32_t config[CONFIG_SIZE / 4];
	uint32_t cm[CM_DWORDS];
};

int cxlvm_root_port_create(const struct cxlvm_root_port_config *given,
			   struct cxlvm_root_port **port, struct cxlvm_error *err)
{
	static const struct cm_capability capabilities[] = { { CM_ID_RAS, 2, PORT_RAS } };
	struct cxlvm_root_port_config taken, *config = &taken;
	struct cxlvm_root_port *p;
	uint32_t first, end;
	int ret = sized_config_take(config, sizeof(*config),
				    SIZE_WITH(struct cxlvm_root_port_config, bar), given,
				    "root port", err);

	if (ret)
		return ret;
	if (config->bar > 5)
		return cxlvm_error_set(err, -EINVAL, "root port: BAR %u is not one of 0 to 5",
				       config->bar);
	first = end = config->first_dvsec ? config->first_dvsec : EXTENDED_CONFIG;
	for (unsigned int i = 0; i < N_DVSECS; i++)
		end += port_dvsecs[i].table->size;
	if (first < EXTENDED_CONFIG || !is_aligned(first | config->next, 4) || end > CONFIG_SIZE ||
	    config->next >= CONFIG_SIZE)
		return cxlvm_error_set(err, -EINVAL,
				       "root port: DVSECs at 0x%x to 0x%x, followed by 0x%x, are "
				       "not aligned or not in extended config space",
				       first, end, config->next);
	p = calloc(1, sizeof(*p));
	if (!p)
		return cxlvm_error_set(err, -ENOMEM, "no memory for a root port");
	p->bar = config->bar;
	p->first = (uint16_t)first;
	for (unsigned int i = 0; i < N_DVSECS; i++) {
		p->dvsecs[i] = port_dvsecs[i];
		p->dvsecs[i].base = (uint16_t)first;
		first += port_dvsecs[i].table->size;
	}
	p->dvsecs[LOCATOR].next = config->next;
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
	dvsec_list_reset(port->dvsecs, port->config);
	reg_set(port->config, port->dvsecs[LOCATOR].base, &dvsec_locator_table.rows[LOCATOR_BAR],
		port->bar);
	regs_reset(&ras_table, port->cm, PORT_RAS);
}

static bool config_access_ok(const struct cxlvm_root_port *port, uint32_t offset,
			     unsigned int length)
{
	return offset >= port->first && length <= 4 &&
	       regs_read_allowed(offset, length, CONFIG_SIZE);
}

uint32_t cxlvm_root_port_config_read(const struct cxlvm_root_port *port, uint32_t offset,
				     unsigned int length)
{
	if (!config_access_ok(port, offset, length))
		return (uint32_t)all_ones(length < 4 ? length : 4);
	return (uint32_t)regs_read(port->config, offset, length);
}

void cxlvm_root_port_config_write(struct cxlvm_root_port *port, uint32_t offset,
				  unsigned int length, uint32_t value)
{
	if (config_access_ok(port, offset, length))
		dvsec_list_write(port->dvsecs, port->config, offset, length, value);
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
