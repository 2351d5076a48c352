/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers of the vfio-user protocol, version 0.x, as little-endian byte layouts: they stand here
 * once, for client and server. Payload offsets count from the end of the header. What a device or
 * region info carries besides is the VFIO interface's own (kernel_shape/uapi.h): its fixed parts
 * and capabilities travel unchanged.
 */
#ifndef CXLVM_VFIO_USER_PROTOCOL_H
#define CXLVM_VFIO_USER_PROTOCOL_H

#define VU_MAJOR 0u
#define VU_MINOR 0u /* the newest that anything here depends on */

/* Header of every message. */
#define VU_HEADER_ID      0  /* u16, the sender's choice; a reply repeats it */
#define VU_HEADER_COMMAND 2  /* u16 */
#define VU_HEADER_SIZE    4  /* u32, of the message with its header */
#define VU_HEADER_FLAGS   8  /* u32 */
#define VU_HEADER_ERROR   12 /* u32, positive errno, with VU_FLAG_ERROR */
#define VU_HEADER_BYTES   16u

#define VU_FLAG_TYPE     0xfu /* of these values */
#define VU_TYPE_COMMAND  0u
#define VU_TYPE_REPLY    1u
#define VU_FLAG_NO_REPLY (1u << 4)
#define VU_FLAG_ERROR    (1u << 5)

enum vu_command {
	VU_VERSION = 1,
	VU_DMA_MAP = 2,
	VU_DMA_UNMAP = 3,
	VU_DEVICE_GET_INFO = 4,
	VU_DEVICE_GET_REGION_INFO = 5,
	VU_DEVICE_GET_REGION_IO_FDS = 6,
	VU_DEVICE_GET_IRQ_INFO = 7,
	VU_DEVICE_SET_IRQS = 8,
	VU_REGION_READ = 9,
	VU_REGION_WRITE = 10,
	VU_DMA_READ = 11,  /* server to client */
	VU_DMA_WRITE = 12, /* server to client */
	VU_DEVICE_RESET = 13,
	VU_REGION_WRITE_MULTI = 15,
	VU_DEVICE_FEATURE = 16,
	VU_MIG_DATA_READ = 17,
	VU_MIG_DATA_WRITE = 18,
};

/* VERSION: both ways; JSON text with its NUL may follow. */
#define VU_VERSION_MAJOR 0 /* u16 */
#define VU_VERSION_MINOR 2 /* u16 */
#define VU_VERSION_JSON  4
#define VU_VERSION_BYTES 4u

/* DMA_MAP; the reply is empty. */
#define VU_MAP_ARGSZ   0  /* u32 */
#define VU_MAP_FLAGS   4  /* u32 */
#define VU_MAP_OFFSET  8  /* u64, in the file */
#define VU_MAP_ADDRESS 16 /* u64, IOVA */
#define VU_MAP_LENGTH  24 /* u64 */
#define VU_MAP_BYTES   32u

#define VU_MAP_FLAG_READ  (1u << 0) /* the device may read */
#define VU_MAP_FLAG_WRITE (1u << 1) /* the device may write */

/* DMA_UNMAP; the reply repeats it. */
#define VU_UNMAP_ARGSZ   0  /* u32 */
#define VU_UNMAP_FLAGS   4  /* u32 */
#define VU_UNMAP_ADDRESS 8  /* u64 */
#define VU_UNMAP_LENGTH  16 /* u64 */
#define VU_UNMAP_BYTES   24u

#define VU_UNMAP_FLAG_ALL (1u << 1)

/* DEVICE_GET_INFO, both ways: the first bytes of UAPI_INFO_*, and never more. */
#define VU_INFO_BYTES 16u

/* DEVICE_GET_REGION_IO_FDS, both ways; entries follow in the reply. */
#define VU_IO_FDS_ARGSZ 0  /* u32 */
#define VU_IO_FDS_FLAGS 4  /* u32 */
#define VU_IO_FDS_INDEX 8  /* u32 */
#define VU_IO_FDS_COUNT 12 /* u32 */
#define VU_IO_FDS_BYTES 16u

/* DEVICE_GET_IRQ_INFO, both ways: UAPI_IRQ_*. */
#define VU_IRQ_INDEX_INTX 0u
#define VU_IRQ_INDEX_MSI  1u
#define VU_IRQ_INDEX_MSIX 2u
#define VU_IRQ_INDEX_ERR  3u
#define VU_IRQ_INDEX_REQ  4u

/* DEVICE_SET_IRQS; the reply is empty. */
#define VU_SET_IRQS_ARGSZ 0  /* u32 */
#define VU_SET_IRQS_FLAGS 4  /* u32 */
#define VU_SET_IRQS_INDEX 8  /* u32 */
#define VU_SET_IRQS_START 12 /* u32 */
#define VU_SET_IRQS_COUNT 16 /* u32 */
#define VU_SET_IRQS_BYTES 20u

#define VU_IRQ_DATA_NONE      (1u << 0)
#define VU_IRQ_DATA_BOOL      (1u << 1) /* count bytes follow */
#define VU_IRQ_DATA_EVENTFD   (1u << 2) /* descriptors are attached, or none: take away */
#define VU_IRQ_ACTION_MASK    (1u << 3)
#define VU_IRQ_ACTION_UNMASK  (1u << 4)
#define VU_IRQ_ACTION_TRIGGER (1u << 5)

/* REGION_READ, REGION_WRITE, and their replies; data follows in a write and in a read's reply. */
#define VU_ACCESS_OFFSET 0  /* u64 */
#define VU_ACCESS_REGION 8  /* u32 */
#define VU_ACCESS_COUNT  12 /* u32 */
#define VU_ACCESS_BYTES  16u

/* DMA_READ, DMA_WRITE, and their replies; data as above. */
#define VU_DMA_ADDRESS 0 /* u64 */
#define VU_DMA_COUNT   8 /* u64 */
#define VU_DMA_BYTES   16u

/* The largest header and fixed part that comes with data of up to max_data_xfer_size. */
#define VU_DATA_OVERHEAD (VU_HEADER_BYTES + 16u)

#endif
