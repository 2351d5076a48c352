/* SPDX-License-Identifier: BSD-3-Clause */
/* pci_names.c - names of vendors and devices, by libpci where it was there when cxlvm was built */
#include "host.h"

#ifdef HAVE_LIBPCI

#include <pci/pci.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"

struct pci_names {
	struct pci_access *access;
};

/* libpci ends with what cannot go on: here that is a file of names that it does not understand. */
static void __attribute__((noreturn, format(printf, 1, 2))) fail(char *format, ...)
{
	(void)format;
	fputs("cxlvm list: the names of PCI devices cannot be read (pci.ids)\n"
	      "  hint: cxlvm list --numeric\n",
	      stderr);
	exit(STATUS_FAILED);
}

static void __attribute__((format(printf, 1, 2))) ignore(char *format, ...)
{
	(void)format;
}

struct pci_names *pci_names_open(void)
{
	static struct pci_names names;

	/* Only the file of names is read: nothing is looked at, nothing asked in the network. */
	names.access = pci_alloc();
	if (!names.access)
		return NULL;
	names.access->error = fail;
	names.access->warning = ignore;
	names.access->debug = ignore;
	names.access->method = PCI_ACCESS_DUMP;
	return &names;
}

void pci_names_close(struct pci_names *names)
{
	if (names)
		pci_cleanup(names->access);
}

void pci_names_of(struct pci_names *names, struct host_device *device)
{
	char text[sizeof(device->name)];

	if (pci_lookup_name(names->access, text, sizeof(text),
			    PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE | PCI_LOOKUP_NO_NUMBERS |
				    PCI_LOOKUP_NO_HWDB,
			    device->vendor, device->device))
		snprintf(device->name, sizeof(device->name), "%s", text);
}

#else

struct pci_names *pci_names_open(void)
{
	return NULL;
}

void pci_names_close(struct pci_names *names)
{
	(void)names;
}

void pci_names_of(struct pci_names *names, struct host_device *device)
{
	(void)names;
	(void)device;
}

#endif
