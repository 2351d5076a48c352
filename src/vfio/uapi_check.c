/* SPDX-License-Identifier: BSD-3-Clause */
/* Compare our numbers with the system's header, where that has them. No code. */
#include <linux/vfio.h>
#include <stddef.h>

#include "kernel_shape/uapi.h"

#define SAME(ours, theirs)     _Static_assert((ours) == (theirs), #ours)
#define AT(ours, type, member) SAME(ours, offsetof(struct type, member))

AT(UAPI_INFO_ARGSZ, vfio_device_info, argsz);
AT(UAPI_INFO_FLAGS, vfio_device_info, flags);
AT(UAPI_INFO_NUM_REGIONS, vfio_device_info, num_regions);
AT(UAPI_INFO_NUM_IRQS, vfio_device_info, num_irqs);
AT(UAPI_INFO_CAP_OFFSET, vfio_device_info, cap_offset);
SAME(UAPI_INFO_FLAG_RESET, VFIO_DEVICE_FLAGS_RESET);
SAME(UAPI_INFO_FLAG_PCI, VFIO_DEVICE_FLAGS_PCI);
SAME(UAPI_INFO_FLAG_CAPS, VFIO_DEVICE_FLAGS_CAPS);
AT(UAPI_REGION_ARGSZ, vfio_region_info, argsz);
AT(UAPI_REGION_FLAGS, vfio_region_info, flags);
AT(UAPI_REGION_INDEX, vfio_region_info, index);
AT(UAPI_REGION_CAP_OFFSET, vfio_region_info, cap_offset);
AT(UAPI_REGION_BYTES, vfio_region_info, size);
AT(UAPI_REGION_OFFSET, vfio_region_info, offset);
SAME(UAPI_REGION_SIZE, sizeof(struct vfio_region_info));
SAME(UAPI_REGION_FLAG_READ, VFIO_REGION_INFO_FLAG_READ);
SAME(UAPI_REGION_FLAG_WRITE, VFIO_REGION_INFO_FLAG_WRITE);
SAME(UAPI_REGION_FLAG_MMAP, VFIO_REGION_INFO_FLAG_MMAP);
SAME(UAPI_REGION_FLAG_CAPS, VFIO_REGION_INFO_FLAG_CAPS);
AT(UAPI_CAP_ID, vfio_info_cap_header, id);
AT(UAPI_CAP_VERSION, vfio_info_cap_header, version);
AT(UAPI_CAP_NEXT, vfio_info_cap_header, next);
SAME(UAPI_CAP_HEADER, sizeof(struct vfio_info_cap_header));
SAME(UAPI_REGION_CAP_SPARSE, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
AT(UAPI_SPARSE_COUNT, vfio_region_info_cap_sparse_mmap, nr_areas);
AT(UAPI_SPARSE_AREAS, vfio_region_info_cap_sparse_mmap, areas);
SAME(UAPI_SPARSE_AREA, sizeof(struct vfio_region_sparse_mmap_area));
SAME(UAPI_REGION_CAP_TYPE, VFIO_REGION_INFO_CAP_TYPE);
AT(UAPI_TYPE_TYPE, vfio_region_info_cap_type, type);
AT(UAPI_TYPE_SUBTYPE, vfio_region_info_cap_type, subtype);
SAME(UAPI_TYPE_SIZE, sizeof(struct vfio_region_info_cap_type));
SAME(UAPI_REGION_INDEX_ROM, VFIO_PCI_ROM_REGION_INDEX);
SAME(UAPI_REGION_INDEX_CONFIG, VFIO_PCI_CONFIG_REGION_INDEX);
SAME(UAPI_REGION_INDEX_VGA, VFIO_PCI_VGA_REGION_INDEX);
SAME(UAPI_REGION_INDEX_DYNAMIC, VFIO_PCI_NUM_REGIONS);
AT(UAPI_IRQ_FLAGS, vfio_irq_info, flags);
AT(UAPI_IRQ_INDEX, vfio_irq_info, index);
AT(UAPI_IRQ_COUNT, vfio_irq_info, count);
SAME(UAPI_IRQ_SIZE, sizeof(struct vfio_irq_info));
SAME(UAPI_IRQ_FLAG_EVENTFD, VFIO_IRQ_INFO_EVENTFD);
SAME(UAPI_IRQ_INDEX_MSIX, VFIO_PCI_MSIX_IRQ_INDEX);
SAME(UAPI_NUM_IRQS, VFIO_PCI_NUM_IRQS);
