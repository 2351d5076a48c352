/* SPDX-License-Identifier: BSD-3-Clause */
/* host.h - the PCI and CXL devices of a machine, as far as they can be seen without disturbing them */
#ifndef CLI_HOST_H
#define CLI_HOST_H

#include "fs.h"

#define HOST_DEVICES_MAX  8192u
#define HOST_DECODERS_MAX 1024u
#define HOST_WINDOWS_MAX  64u
#define HOST_CONFIG_MAX   4096u
#define HOST_BARS         6

/* An HDM decoder: of a device's registers, or of the kernel's CXL core. Addresses are the host's. */
struct host_decoder {
	char name[32];   /* decoder2.0; "" when only the registers are known */
	char device[32]; /* of an endpoint decoder: address of the PCI function; else "" */
	bool has_range;
	struct cxlvm_hpa base;
	uint64_t size;
	bool committed, locked, error, host_only;
	bool back_invalidate;
	uint64_t skip;                    /* bytes of device memory that it leaves out */
	unsigned int ways_code;           /* of its registers */
	uint64_t interleave_ways;         /* 0: not known, or a code that is reserved */
	bool has_target_type, has_locked; /* what the CXL core did not say is not known */
	char region[32];                  /* of the CXL core; "" */
	char mode[16];                    /* ram, pmem, none; "" */
};

/* A fixed memory window of the CEDT. */
struct host_window {
	struct cxlvm_hpa base;
	uint64_t size;
	uint64_t restrictions;
	unsigned int n_targets;
	uint32_t targets[16];
};

/* What config space says; zeros where it was not readable so far. */
struct host_cxl {
	uint64_t vendor, command_memory, class_code;
	uint64_t device_dvsec; /* there is a CXL Device DVSEC */
	uint64_t cache, mem, hdm_count, mem_enable, cxl_reset;
	uint64_t range_size_high, range_size_low, range_valid, range_active;
	uint64_t locator; /* there is a component block, at this place */
	uint64_t component_bar, component_offset;
	uint64_t serial_at; /* offset of the serial number, 0: none */
	uint64_t flr;
};

struct host_bar {
	uint64_t first, last, flags; /* of the resource file */
};

struct host_device {
	char address[32]; /* 0000:17:00.0; of a device that is no PCI function, its folder's name */
	bool pci;         /* else it is here because it is bound to VFIO */
	uint16_t vendor, device;
	uint32_t class_code;
	char name[128]; /* of libpci; "" without */
	char driver[64];
	bool vfio;     /* its driver is one of VFIO */
	int group;     /* IOMMU group, -1: none */
	char cdev[32]; /* vfio7: name of its VFIO character device; "" when it has none */
	char memdev[32];
	size_t config_size; /* how much of config space was readable */
	struct host_cxl cxl;
	struct host_bar bars[HOST_BARS];
	/* HDM decoders of the component block; n_decoders 0: registers_why says why not. */
	unsigned int n_decoders;
	struct host_decoder decoder;     /* the first one */
	unsigned int decoder_count_code; /* what their capability says, maybe one without meaning */
	unsigned int n_committed;
	unsigned int other_committed; /* number of the first one besides decoder 0; 0: none */
	char registers_why[128];
	bool asleep; /* that is why */
};

struct host {
	struct fs *fs;
	char kernel[64];
	size_t n_devices, n_functions;
	struct host_device *devices; /* all PCI functions, by address; then others */
	size_t n_decoders;
	struct host_decoder decoders[HOST_DECODERS_MAX]; /* of the kernel's CXL core */
	size_t n_windows;
	struct host_window windows[HOST_WINDOWS_MAX];
	char windows_why[128]; /* why there are none */
};

/* Look at everything; what cannot be read is left out, with its reason. -ENOMEM, -E2BIG. */
int host_scan(struct fs *fs, bool names, struct host **out, struct cxlvm_error *err);
void host_free(struct host *host);

/* Its config space shows whether it is a CXL device: others but root see 64 bytes of it. Without one
 * (no PCI function) only an opened device tells. */
bool host_config_seen(const struct host_device *device);
/* Of how many PCI functions it does not. */
size_t host_config_unseen(const struct host *host);
/* Its CXL type, 1 to 3, or 0. */
unsigned int host_type(const struct host_device *device);
/* Bytes of memory that the CXL DVSEC says, 0 when it says nothing. */
uint64_t host_range_size(const struct host_device *device);
/* By full address or, if nothing else fits, without the domain. NULL: there is none. */
struct host_device *host_find(struct host *host, const char *address);
/* The kernel's first decoder of the device, NULL when it has none. */
const struct host_decoder *host_endpoint_decoder(const struct host *host,
						 const struct host_device *device);

/* Look at one PCI function, whose address is set. */
void host_scan_device(struct fs *fs, struct host_device *device);

/* Its reader of config space, also for who only wants to find something in it. */
void host_read_config(const uint8_t *config, size_t size, struct host_cxl *cxl);

void host_read_cedt(struct host *host, const uint8_t *table, size_t size);
void host_scan_cxl(struct host *host); /* decoders, windows, memdevs */
void host_scan_registers(struct fs *fs, struct host_device *device); /* of one CXL device */

/* Names of vendors and devices; NULL when cxlvm was built without libpci or there are no names. */
struct pci_names;
struct pci_names *pci_names_open(void);
void pci_names_close(struct pci_names *names);
void pci_names_of(struct pci_names *names, struct host_device *device);

#endif
