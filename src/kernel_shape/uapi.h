/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Numbers of the VFIO user interface, CXL part included, as little-endian byte layouts. They stand
 * here once: the kernel shapes write these bytes, the readers in vfio/ parse them. Build hosts may
 * have older headers than the kernels we talk to, so none of this comes from <linux/vfio.h>; where
 * it has the same number, src/vfio/uapi_check.c compares.
 */
#ifndef CXLVM_KERNEL_SHAPE_UAPI_H
#define CXLVM_KERNEL_SHAPE_UAPI_H

/* Device info. */
#define UAPI_INFO_ARGSZ       0 /* u32 */
#define UAPI_INFO_FLAGS       4 /* u32 */
#define UAPI_INFO_NUM_REGIONS 8
#define UAPI_INFO_NUM_IRQS    12
#define UAPI_INFO_CAP_OFFSET  16
#define UAPI_INFO_SIZE        24 /* with padding, without capabilities */

#define UAPI_INFO_FLAG_RESET (1u << 0)
#define UAPI_INFO_FLAG_PCI   (1u << 1)
#define UAPI_INFO_FLAG_CAPS  (1u << 7)
#define UAPI_INFO_FLAG_CXL   (1u << 9)

/* Region info. */
#define UAPI_REGION_ARGSZ      0
#define UAPI_REGION_FLAGS      4
#define UAPI_REGION_INDEX      8
#define UAPI_REGION_CAP_OFFSET 12
#define UAPI_REGION_BYTES      16 /* u64 size */
#define UAPI_REGION_OFFSET     24 /* u64 offset in the file */
#define UAPI_REGION_SIZE       32

#define UAPI_REGION_FLAG_READ  (1u << 0)
#define UAPI_REGION_FLAG_WRITE (1u << 1)
#define UAPI_REGION_FLAG_MMAP  (1u << 2)
#define UAPI_REGION_FLAG_CAPS  (1u << 3)

/* Interrupt info. */
#define UAPI_IRQ_ARGSZ 0
#define UAPI_IRQ_FLAGS 4
#define UAPI_IRQ_INDEX 8
#define UAPI_IRQ_COUNT 12
#define UAPI_IRQ_SIZE  16

#define UAPI_IRQ_FLAG_EVENTFD  (1u << 0)
#define UAPI_IRQ_FLAG_MASKABLE (1u << 1)

/* Capability header: id u16, version u16, next u32 (from the start of the buffer). */
#define UAPI_CAP_ID      0
#define UAPI_CAP_VERSION 2
#define UAPI_CAP_NEXT    4
#define UAPI_CAP_HEADER  8

#define UAPI_REGION_CAP_SPARSE   1u
#define UAPI_REGION_CAP_TYPE     2u
#define UAPI_REGION_CAP_CXL_REGS 6u /* generations 4 to 6; any id above 5 is tried */
#define UAPI_DEVICE_CAP_CXL      6u /* generations 2 and 3 */

/* Sparse mmap capability: u32 number of areas, u32 reserved, then offset and size u64 each. */
#define UAPI_SPARSE_COUNT 8
#define UAPI_SPARSE_AREAS 16
#define UAPI_SPARSE_AREA  16

/* Type capability: u32 type, u32 subtype. */
#define UAPI_TYPE_TYPE    8
#define UAPI_TYPE_SUBTYPE 12
#define UAPI_TYPE_SIZE    16

#define UAPI_TYPE_CXL           0x80001e98u /* vendor type: all generations but 4 */
#define UAPI_TYPE_CXL_4         4u          /* generation 4 */
#define UAPI_SUBTYPE_CXL_MEMORY 1u
#define UAPI_SUBTYPE_CXL_REGS   2u

/* Device capability of generations 2 and 2n. */
#define UAPI_CXL2_BAR           8  /* u8 */
#define UAPI_CXL2_FLAGS         12 /* u32 */
#define UAPI_CXL2_CM_OFFSET     16 /* u64: of the CM area in the BAR */
#define UAPI_CXL2_MEMORY_REGION 24 /* u32 */
#define UAPI_CXL2_REGS_REGION   28 /* u32 */
#define UAPI_CXL2_SIZE          32

#define UAPI_CXL2_FLAG_COMMITTED (1u << 0)
#define UAPI_CXL2_FLAG_CACHE     (1u << 1)

/* Device capability of generation 3, as a 64-bit kernel lays it out. */
#define UAPI_CXL3_FLAGS         8 /* u32 */
#define UAPI_CXL3_MEMORY_REGION 12
#define UAPI_CXL3_REGS_REGION   16
#define UAPI_CXL3_BAR           20
#define UAPI_CXL3_BLOCK_OFFSET  32 /* u64: of the component block in the BAR */
#define UAPI_CXL3_BLOCK_SIZE    40 /* u64 */
#define UAPI_CXL3_SIZE          48

#define UAPI_CXL3_FLAG_COMMITTED (1u << 0)

/* Geometry capability on the register region, generations 4 to 6. */
#define UAPI_GEOMETRY_BAR    8  /* u32 */
#define UAPI_GEOMETRY_OFFSET 16 /* u64: of the HDM decoder capability in the BAR */
#define UAPI_GEOMETRY_SIZE   24

/* Requests: _IO(UAPI_IOCTL_TYPE, number). */
#define UAPI_IOCTL_TYPE ';'

#define UAPI_GET_API_VERSION       100
#define UAPI_CHECK_EXTENSION       101
#define UAPI_SET_IOMMU             102
#define UAPI_GROUP_GET_STATUS      103
#define UAPI_GROUP_SET_CONTAINER   104
#define UAPI_GROUP_GET_DEVICE_FD   106
#define UAPI_DEVICE_GET_INFO       107
#define UAPI_DEVICE_GET_REGION     108
#define UAPI_DEVICE_GET_IRQ        109
#define UAPI_DEVICE_SET_IRQS       110
#define UAPI_DEVICE_RESET          111
#define UAPI_IOMMU_GET_INFO        112
#define UAPI_IOMMU_MAP_DMA         113
#define UAPI_IOMMU_UNMAP_DMA       114
#define UAPI_DEVICE_FEATURE        117
#define UAPI_DEVICE_BIND_IOMMUFD   118
#define UAPI_DEVICE_ATTACH_IOMMUFD 119
#define UAPI_DEVICE_DETACH_IOMMUFD 120
#define UAPI_IOMMUFD_DESTROY       0x80
#define UAPI_IOMMUFD_IOAS_ALLOC    0x81
#define UAPI_IOMMUFD_IOVA_RANGES   0x84
#define UAPI_IOMMUFD_MAP           0x85
#define UAPI_IOMMUFD_UNMAP         0x86
#define UAPI_IOMMUFD_MAP_FILE      0x8f

#define UAPI_API_VERSION 0
#define UAPI_TYPE1V2     3

/* Status of a group: u32 argsz, u32 flags. */
#define UAPI_GROUP_FLAGS       4
#define UAPI_GROUP_SIZE        8
#define UAPI_GROUP_FLAG_VIABLE (1u << 0)

/* Info of a type1 container: u32 argsz, u32 flags, u64 page sizes, u32 offset of capabilities. */
#define UAPI_TYPE1_FLAGS      4
#define UAPI_TYPE1_CAP_OFFSET 16
#define UAPI_TYPE1_SIZE       24
#define UAPI_TYPE1_FLAG_CAPS  (1u << 1)
#define UAPI_TYPE1_CAP_IOVA   1u

/* Usable I/O addresses: u32 number, u32 reserved, then first and last u64 each. */
#define UAPI_IOVA_COUNT  8
#define UAPI_IOVA_RANGES 16
#define UAPI_IOVA_RANGE  16

/* Map and unmap in a type1 container: u32 argsz, u32 flags first. */
#define UAPI_MAP_FLAGS      4
#define UAPI_MAP_VADDR      8
#define UAPI_MAP_IOVA       16
#define UAPI_MAP_BYTES      24
#define UAPI_MAP_SIZE       32
#define UAPI_MAP_FLAG_READ  (1u << 0)
#define UAPI_MAP_FLAG_WRITE (1u << 1)
#define UAPI_UNMAP_IOVA     8
#define UAPI_UNMAP_BYTES    16
#define UAPI_UNMAP_SIZE     24

/* Set interrupts: u32 argsz, flags, index, start, count, then one s32 for each descriptor. */
#define UAPI_SET_IRQS_FLAGS        4
#define UAPI_SET_IRQS_INDEX        8
#define UAPI_SET_IRQS_START        12
#define UAPI_SET_IRQS_COUNT        16
#define UAPI_SET_IRQS_DATA         20
#define UAPI_SET_IRQS_FLAG_NONE    (1u << 0)
#define UAPI_SET_IRQS_FLAG_EVENTFD (1u << 2)
#define UAPI_SET_IRQS_FLAG_TRIGGER (1u << 5)

/* A feature: u32 argsz, u32 flags with the feature's number, its data. */
#define UAPI_FEATURE_FLAGS    4
#define UAPI_FEATURE_DATA     8
#define UAPI_FEATURE_FLAG_GET (1u << 16)
#define UAPI_FEATURE_DMA_BUF  11u

/* Data of the dma-buf feature, from the start of the request, with one range. */
#define UAPI_DMA_BUF_REGION     8
#define UAPI_DMA_BUF_OPEN_FLAGS 12
#define UAPI_DMA_BUF_RANGES     20
#define UAPI_DMA_BUF_OFFSET     24
#define UAPI_DMA_BUF_LENGTH     32
#define UAPI_DMA_BUF_SIZE       40

/* A device and an iommufd: u32 argsz, u32 flags, s32 iommufd, u32 answer; u32 page table. */
#define UAPI_BIND_IOMMUFD 8
#define UAPI_BIND_SIZE    16
#define UAPI_ATTACH_PT    8
#define UAPI_ATTACH_SIZE  12
#define UAPI_DETACH_SIZE  8

/* Requests to an iommufd: u32 size first. */
#define UAPI_DESTROY_ID        4
#define UAPI_DESTROY_SIZE      8
#define UAPI_IOAS_ALLOC_ID     8
#define UAPI_IOAS_ALLOC_SIZE   12
#define UAPI_IOAS_IOVA_ID      4
#define UAPI_IOAS_IOVA_COUNT   8
#define UAPI_IOAS_IOVA_POINTER 16
#define UAPI_IOAS_IOVA_SIZE    32
#define UAPI_IOAS_MAP_FLAGS    4
#define UAPI_IOAS_MAP_ID       8
#define UAPI_IOAS_MAP_VADDR    16
#define UAPI_IOAS_MAP_LENGTH   24
#define UAPI_IOAS_MAP_IOVA     32
#define UAPI_IOAS_MAP_SIZE     40
#define UAPI_IOAS_FILE_FD      12 /* the rest as in map; start in place of the address */
#define UAPI_IOAS_UNMAP_ID     4
#define UAPI_IOAS_UNMAP_IOVA   8
#define UAPI_IOAS_UNMAP_LENGTH 16
#define UAPI_IOAS_UNMAP_SIZE   24

#define UAPI_IOAS_MAP_FLAG_FIXED (1u << 0)
#define UAPI_IOAS_MAP_FLAG_WRITE (1u << 1)
#define UAPI_IOAS_MAP_FLAG_READ  (1u << 2)

#define UAPI_REGION_INDEX_ROM     6u
#define UAPI_REGION_INDEX_CONFIG  7u
#define UAPI_REGION_INDEX_VGA     8u
#define UAPI_REGION_INDEX_DYNAMIC 9u
#define UAPI_IRQ_INDEX_MSIX       2u
#define UAPI_IRQ_INDEX_ERROR      3u
#define UAPI_IRQ_INDEX_REQUEST    4u
#define UAPI_NUM_IRQS             5u

/* Where the kernel packs the region index in file offsets. Not part of the interface. */
#define UAPI_OFFSET_SHIFT 40u

#endif
