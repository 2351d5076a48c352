/* SPDX-License-Identifier: BSD-3-Clause */
/* A program of somebody else, compiled as C and as C++ against the installed library. */
#include <cxlvm/cxlvm.h>

#include <stdio.h>
#include <string.h>

/* Names that the library uses inside: they are ours here. */
extern int regs_read;
extern int print_table;
extern int hdm_table;
int regs_read = 1;
int print_table = 2;
int hdm_table = 3;

static unsigned int fields;

static void count(void *context, const struct cxlvm_field *field)
{
	(void)context;
	(void)field;
	fields++;
}

int main(void)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_machine_config config;
	struct cxlvm_machine *machine = NULL;
	struct cxlvm_visitor visitor;
	struct cxlvm_gpa block;
	unsigned char table[128];
	size_t size = 0;

	memset(&config, 0, sizeof(config));
	config.size = sizeof(config);
	config.phys_bits = 40;
	config.place_from.value = 0x100000000;
	block.value = 0x240000000;
	memset(&visitor, 0, sizeof(visitor));
	visitor.size = sizeof(visitor);
	visitor.field = count;
	if (cxlvm_machine_create(&config, &machine, &err) ||
	    cxlvm_machine_add_bridge(machine, "bridge", 12, &block, &err) ||
	    cxlvm_machine_freeze(machine, &err) ||
	    cxlvm_cedt_build(machine, NULL, table, sizeof(table), &size, &err) ||
	    cxlvm_image_visit(table, size, cxlvm_image_recognize(table, size), &visitor, NULL,
			      &err)) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	cxlvm_machine_destroy(machine);
	printf("%s %u %d\n", cxlvm_version(), fields, regs_read + print_table + hdm_table);
	return 0;
}
