/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * images - write what a guest of "cxlvm run --device sim,size=SIZE,generation=N" would read to
 * files: cedt, bridge, port, port-config, device and device-config. A helper of decode.sh.
 *
 *   images FOLDER SIZE GENERATION
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pci/hdm.h"
#include "vm.h"

#define BLOCK_SIZE  0x10000u
#define CONFIG_SIZE 0x1000u
#define CM_OFFSET   0x1000u
#define CM_END      0x2000u
#define PHYS_BITS   40

static void put32(uint8_t *p, uint64_t value)
{
	for (unsigned int i = 0; i < 4; i++, value >>= 8)
		p[i] = (uint8_t)value;
}

static void save(const char *folder, const char *name, const void *data, size_t len)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "wb");
	if (!file || fwrite(data, 1, len, file) != len || fclose(file)) {
		perror(path);
		exit(1);
	}
}

static void save_cedt(const struct vm *vm, const char *folder)
{
	const uint8_t *table = memmem(vm->tables.data, vm->tables.size, "CEDT", 4);

	/* the first one is where the XSDT points; a pointer does not look like the signature */
	if (!table) {
		fputs("images: no CEDT\n", stderr);
		exit(1);
	}
	save(folder, "cedt", table, table[4] | (size_t)table[5] << 8);
}

static void save_blocks(struct vm *vm, const char *folder)
{
	static uint8_t bridge[BLOCK_SIZE], port[BLOCK_SIZE], device[BLOCK_SIZE];
	struct pci_host_bridge *host = &vm->bridges[0];
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct hdm_decoder decoder;
	uint64_t block;

	/* finds the block too: it is where the decoder is, in units of its size */
	if (hdm_read(&vm->devices[0], &decoder, &err)) {
		fprintf(stderr, "images: %s\n", err.message);
		exit(1);
	}
	block = decoder.offset / BLOCK_SIZE * BLOCK_SIZE;
	for (uint32_t at = CM_OFFSET; at < CM_END; at += 4) {
		put32(bridge + at, cxlvm_bridge_read(host->cxl, at, 4));
		put32(port + at, cxlvm_root_port_read(host->port.cxl, at, 4));
		put32(device + at, endpoint_bar_read(&vm->devices[0], decoder.bar, block + at, 4));
	}
	save(folder, "bridge", bridge, sizeof(bridge));
	save(folder, "port", port, sizeof(port));
	save(folder, "device", device, sizeof(device));
}

static void save_config(struct vm *vm, const char *folder)
{
	static uint8_t port[CONFIG_SIZE], device[CONFIG_SIZE];

	for (uint32_t at = 0; at < CONFIG_SIZE; at += 4) {
		put32(port + at, root_port_config_read(&vm->bridges[0].port, at, 4));
		put32(device + at, endpoint_config_read(&vm->devices[0], at, 4));
	}
	save(folder, "port-config", port, sizeof(port));
	save(folder, "device-config", device, sizeof(device));
}

int main(int argc, char **argv)
{
	struct vm_config config = {
		.memory = VM_DEFAULT_MEMORY, .n_devices = 1, .phys_bits = PHYS_BITS, .plan = true
	};
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct vm *vm;

	if (argc != 4)
		return 2;
	config.devices[0].size = strtoull(argv[2], NULL, 0);
	config.devices[0].generation = (unsigned int)strtoul(argv[3], NULL, 0);
	if (vm_create(&config, &vm, &err)) {
		fprintf(stderr, "images: %s\n", err.message);
		return 1;
	}
	save_cedt(vm, argv[1]);
	save_blocks(vm, argv[1]);
	save_config(vm, argv[1]);
	vm_destroy(vm);
	return 0;
}
