/* SPDX-License-Identifier: BSD-3-Clause */
/* config_space.c - configuration space as bytes with access rules */
#include "config_space.h"
#include "util.h"

uint32_t pci_space_read(const struct pci_space *space, uint32_t offset, unsigned int length)
{
	return (uint32_t)load_le(space->value + offset, length);
}

void pci_space_write(struct pci_space *space, uint32_t offset, unsigned int length, uint32_t value)
{
	for (unsigned int i = 0; i < length; i++) {
		uint8_t byte = (uint8_t)(value >> (8 * i));
		uint8_t writable = space->writable[offset + i];
		uint8_t *reg = &space->value[offset + i];

		*reg = (uint8_t)((*reg & ~writable) | (byte & writable));
		*reg &= (uint8_t) ~(byte & space->clear[offset + i]);
	}
}

void pci_space_set(struct pci_space *space, uint32_t offset, unsigned int length, uint64_t value)
{
	store_le(space->value + offset, length, value);
}

void pci_space_rules(struct pci_space *space, uint32_t offset, unsigned int length,
		     uint64_t writable, uint64_t clear)
{
	store_le(space->writable + offset, length, writable);
	store_le(space->clear + offset, length, clear);
}

uint64_t pci_space_get(const struct pci_space *space, uint32_t offset, unsigned int length)
{
	return load_le(space->value + offset, length);
}
