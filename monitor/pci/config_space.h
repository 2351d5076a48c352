/* SPDX-License-Identifier: BSD-3-Clause */
/* config_space.h - configuration space as bytes with access rules */
#ifndef MONITOR_PCI_CONFIG_SPACE_H
#define MONITOR_PCI_CONFIG_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_HEADER_SPACE 256
#define PCI_CONFIG_SPACE 4096

/* The first 256 bytes of a function that the monitor models itself. */
struct pci_space {
	uint8_t value[PCI_HEADER_SPACE];
	uint8_t writable[PCI_HEADER_SPACE]; /* bits that take what is written */
	uint8_t clear[PCI_HEADER_SPACE];    /* bits that a written one clears (RW1C) */
};

/* Is this what ECAM has to take: 1, 2 or 4 bytes, naturally aligned? */
static inline bool pci_access_is_valid(uint32_t offset, unsigned int length)
{
	return (length == 1 || length == 2 || length == 4) && offset % length == 0 &&
	       offset + length <= PCI_CONFIG_SPACE;
}

/* Do the length bytes at offset touch the register of size bytes at reg? */
static inline bool pci_access_touches(uint32_t offset, unsigned int length, uint32_t reg,
				      unsigned int size)
{
	return offset < reg + size && reg < offset + length;
}

uint32_t pci_space_read(const struct pci_space *space, uint32_t offset, unsigned int length);
void pci_space_write(struct pci_space *space, uint32_t offset, unsigned int length, uint32_t value);

/* A register of length bytes, for the building and the firmware: rules do not apply. */
void pci_space_set(struct pci_space *space, uint32_t offset, unsigned int length, uint64_t value);
void pci_space_rules(struct pci_space *space, uint32_t offset, unsigned int length,
		     uint64_t writable, uint64_t clear);
uint64_t pci_space_get(const struct pci_space *space, uint32_t offset, unsigned int length);

#endif
