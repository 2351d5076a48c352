/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cxlvm/regs.h - what the bytes of CXL registers and tables mean
 *
 * Takes an image apart with the register tables that the library itself emulates with, and hands
 * structure by structure, field by field to a visitor, which makes text, JSON or a comparison of
 * it. An image is a raw component register block, config space of a function, or a CEDT.
 *
 * The image is not trusted: nothing outside of it is read, loops are bounded, and what cannot be
 * decoded is a problem with its offset and reason, after which decoding goes on where it can.
 * Nothing here allocates. All functions may run on any thread.
 */
#ifndef CXLVM_REGS_H
#define CXLVM_REGS_H

#include <cxlvm/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cxlvm_image_kind {
	CXLVM_IMAGE_UNKNOWN,
	CXLVM_IMAGE_COMPONENT, /* component register block (64 KiB), or its 4 KiB CM area alone */
	CXLVM_IMAGE_CONFIG,    /* PCI config space, 256 or 4096 bytes */
	CXLVM_IMAGE_CEDT,      /* CXL Early Discovery Table with its ACPI header */
};

/* Structures nest. All strings are valid during the call only, and printable ASCII. */
struct cxlvm_structure {
	const char *name;
	const char *specification; /* the one that the sections of its fields are of: "CXL 3.1" */
	const char *summary;       /* its fields taken together, one line; "" when there is none */
	int index;                 /* number among those of its name, from 0; -1: there is one */
	uint32_t offset;           /* in the image, bytes */
	uint32_t size;             /* bytes, as it says itself or as its kind has */
};

/*
 * One field of a register. A register may have bits that no field is known for: if one of them is
 * set, they come as a field "other bits" (of 32 bits, the known ones cleared), section "".
 */
struct cxlvm_field {
	const char *name;
	const char *section;
	const char *access; /* RO, RW, RW1C, RWO (set once), RWL (until locked), "" */
	const char *text;   /* what the value means; "" when the number says it all */
	uint64_t value;     /* right-aligned */
	uint32_t offset;    /* of the register in the image, bytes */
	unsigned int width; /* of the register, bytes, 1 to 8 */
	unsigned int lsb;   /* of the field in the register */
	unsigned int bits;  /* of the field */
};

struct cxlvm_visitor {
	/* sizeof(struct cxlvm_visitor) as the caller compiled it. */
	size_t size;
	/* Each begin has an end; fields between them belong to the structure. All optional. */
	void (*begin)(void *context, const struct cxlvm_structure *structure);
	void (*field)(void *context, const struct cxlvm_field *field);
	void (*end)(void *context);
	/* Something at offset could not be decoded; message says why, with the numbers. */
	void (*problem)(void *context, uint32_t offset, const char *message);
};

/* "component", "config", "cedt", "unknown". Static storage. */
CXLVM_PUBLIC const char *cxlvm_image_kind_name(enum cxlvm_image_kind kind);

/*
 * What an image holds, by its content: a CEDT by its signature, a component block by its
 * capability array (at 0x1000, or at 0 if it is the CM area alone), config space by vendor id and
 * header type. CXLVM_IMAGE_UNKNOWN when it is none of them.
 */
CXLVM_PUBLIC enum cxlvm_image_kind cxlvm_image_recognize(const void *image, size_t len);

/*
 * Visit everything in an image of len bytes. 0 when all of it was decoded; -EPROTO when there was
 * a problem (err holds the first one), with the visitor called for all that could be decoded;
 * -EINVAL for an unknown kind or a visitor without a size, with no call.
 */
CXLVM_PUBLIC int cxlvm_image_visit(const void *image, size_t len, enum cxlvm_image_kind kind,
				   const struct cxlvm_visitor *visitor, void *context,
				   struct cxlvm_error *err);

#ifdef __cplusplus
}
#endif

#endif
