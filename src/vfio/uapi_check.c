/* SPDX-License-Identifier: BSD-3-Clause */
/* Compare our numbers with the system's header, where that has them. No code. */
#include <linux/vfio.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include <cxlvm/kernel.h>

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
SAME(CXLVM_IRQ_NORESIZE, VFIO_IRQ_INFO_NORESIZE);
SAME(CXLVM_IRQ_MSI, VFIO_PCI_MSI_IRQ_INDEX);
SAME(UAPI_IRQ_INDEX_MSIX, VFIO_PCI_MSIX_IRQ_INDEX);
SAME(UAPI_IRQ_INDEX_ERROR, VFIO_PCI_ERR_IRQ_INDEX);
SAME(UAPI_IRQ_INDEX_REQUEST, VFIO_PCI_REQ_IRQ_INDEX);
SAME(UAPI_NUM_IRQS, VFIO_PCI_NUM_IRQS);

#define REQUEST(ours, theirs) SAME(_IO(UAPI_IOCTL_TYPE, ours), theirs)

REQUEST(UAPI_GET_API_VERSION, VFIO_GET_API_VERSION);
REQUEST(UAPI_CHECK_EXTENSION, VFIO_CHECK_EXTENSION);
REQUEST(UAPI_SET_IOMMU, VFIO_SET_IOMMU);
REQUEST(UAPI_GROUP_GET_STATUS, VFIO_GROUP_GET_STATUS);
REQUEST(UAPI_GROUP_SET_CONTAINER, VFIO_GROUP_SET_CONTAINER);
REQUEST(UAPI_GROUP_GET_DEVICE_FD, VFIO_GROUP_GET_DEVICE_FD);
REQUEST(UAPI_DEVICE_GET_INFO, VFIO_DEVICE_GET_INFO);
REQUEST(UAPI_DEVICE_GET_REGION, VFIO_DEVICE_GET_REGION_INFO);
REQUEST(UAPI_DEVICE_GET_IRQ, VFIO_DEVICE_GET_IRQ_INFO);
REQUEST(UAPI_DEVICE_SET_IRQS, VFIO_DEVICE_SET_IRQS);
REQUEST(UAPI_DEVICE_RESET, VFIO_DEVICE_RESET);
REQUEST(UAPI_IOMMU_GET_INFO, VFIO_IOMMU_GET_INFO);
REQUEST(UAPI_IOMMU_MAP_DMA, VFIO_IOMMU_MAP_DMA);
REQUEST(UAPI_IOMMU_UNMAP_DMA, VFIO_IOMMU_UNMAP_DMA);
REQUEST(UAPI_DEVICE_FEATURE, VFIO_DEVICE_FEATURE);
SAME(UAPI_API_VERSION, VFIO_API_VERSION);
SAME(UAPI_TYPE1V2, VFIO_TYPE1v2_IOMMU);
AT(UAPI_GROUP_FLAGS, vfio_group_status, flags);
SAME(UAPI_GROUP_SIZE, sizeof(struct vfio_group_status));
SAME(UAPI_GROUP_FLAG_VIABLE, VFIO_GROUP_FLAGS_VIABLE);
AT(UAPI_TYPE1_FLAGS, vfio_iommu_type1_info, flags);
AT(UAPI_TYPE1_CAP_OFFSET, vfio_iommu_type1_info, cap_offset);
SAME(UAPI_TYPE1_FLAG_CAPS, VFIO_IOMMU_INFO_CAPS);
SAME(UAPI_TYPE1_CAP_IOVA, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
AT(UAPI_IOVA_COUNT, vfio_iommu_type1_info_cap_iova_range, nr_iovas);
AT(UAPI_IOVA_RANGES, vfio_iommu_type1_info_cap_iova_range, iova_ranges);
SAME(UAPI_IOVA_RANGE, sizeof(struct vfio_iova_range));
AT(UAPI_MAP_FLAGS, vfio_iommu_type1_dma_map, flags);
AT(UAPI_MAP_VADDR, vfio_iommu_type1_dma_map, vaddr);
AT(UAPI_MAP_IOVA, vfio_iommu_type1_dma_map, iova);
AT(UAPI_MAP_BYTES, vfio_iommu_type1_dma_map, size);
SAME(UAPI_MAP_SIZE, sizeof(struct vfio_iommu_type1_dma_map));
SAME(UAPI_MAP_FLAG_READ, VFIO_DMA_MAP_FLAG_READ);
SAME(UAPI_MAP_FLAG_WRITE, VFIO_DMA_MAP_FLAG_WRITE);
AT(UAPI_UNMAP_IOVA, vfio_iommu_type1_dma_unmap, iova);
AT(UAPI_UNMAP_BYTES, vfio_iommu_type1_dma_unmap, size);
SAME(UAPI_UNMAP_SIZE, sizeof(struct vfio_iommu_type1_dma_unmap));
AT(UAPI_SET_IRQS_FLAGS, vfio_irq_set, flags);
AT(UAPI_SET_IRQS_INDEX, vfio_irq_set, index);
AT(UAPI_SET_IRQS_START, vfio_irq_set, start);
AT(UAPI_SET_IRQS_COUNT, vfio_irq_set, count);
AT(UAPI_SET_IRQS_DATA, vfio_irq_set, data);
SAME(UAPI_SET_IRQS_FLAG_NONE, VFIO_IRQ_SET_DATA_NONE);
SAME(UAPI_SET_IRQS_FLAG_EVENTFD, VFIO_IRQ_SET_DATA_EVENTFD);
SAME(UAPI_SET_IRQS_FLAG_TRIGGER, VFIO_IRQ_SET_ACTION_TRIGGER);
AT(UAPI_FEATURE_FLAGS, vfio_device_feature, flags);
AT(UAPI_FEATURE_DATA, vfio_device_feature, data);
SAME(UAPI_FEATURE_FLAG_GET, VFIO_DEVICE_FEATURE_GET);
#ifdef VFIO_DEVICE_FEATURE_DMA_BUF
SAME(UAPI_FEATURE_DMA_BUF, VFIO_DEVICE_FEATURE_DMA_BUF);
SAME(UAPI_DMA_BUF_SIZE, UAPI_FEATURE_DATA + sizeof(struct vfio_device_feature_dma_buf) +
				sizeof(struct vfio_region_dma_range));
#endif
#ifdef VFIO_DEVICE_BIND_IOMMUFD
REQUEST(UAPI_DEVICE_BIND_IOMMUFD, VFIO_DEVICE_BIND_IOMMUFD);
AT(UAPI_BIND_IOMMUFD, vfio_device_bind_iommufd, iommufd);
REQUEST(UAPI_DEVICE_ATTACH_IOMMUFD, VFIO_DEVICE_ATTACH_IOMMUFD_PT);
REQUEST(UAPI_DEVICE_DETACH_IOMMUFD, VFIO_DEVICE_DETACH_IOMMUFD_PT);
SAME(UAPI_DETACH_SIZE, sizeof(struct vfio_device_detach_iommufd_pt));
AT(UAPI_ATTACH_PT, vfio_device_attach_iommufd_pt, pt_id);
#endif

#if defined(__has_include)
#if __has_include(<linux/iommufd.h>)
#include <linux/iommufd.h>

REQUEST(UAPI_IOMMUFD_DESTROY, IOMMU_DESTROY);
AT(UAPI_DESTROY_ID, iommu_destroy, id);
SAME(UAPI_DESTROY_SIZE, sizeof(struct iommu_destroy));
REQUEST(UAPI_IOMMUFD_IOAS_ALLOC, IOMMU_IOAS_ALLOC);
AT(UAPI_IOAS_ALLOC_ID, iommu_ioas_alloc, out_ioas_id);
SAME(UAPI_IOAS_ALLOC_SIZE, sizeof(struct iommu_ioas_alloc));
REQUEST(UAPI_IOMMUFD_IOVA_RANGES, IOMMU_IOAS_IOVA_RANGES);
AT(UAPI_IOAS_IOVA_ID, iommu_ioas_iova_ranges, ioas_id);
AT(UAPI_IOAS_IOVA_COUNT, iommu_ioas_iova_ranges, num_iovas);
AT(UAPI_IOAS_IOVA_POINTER, iommu_ioas_iova_ranges, allowed_iovas);
SAME(UAPI_IOAS_IOVA_SIZE, sizeof(struct iommu_ioas_iova_ranges));
SAME(UAPI_IOVA_RANGE, sizeof(struct iommu_iova_range));
REQUEST(UAPI_IOMMUFD_MAP, IOMMU_IOAS_MAP);
AT(UAPI_IOAS_MAP_FLAGS, iommu_ioas_map, flags);
AT(UAPI_IOAS_MAP_ID, iommu_ioas_map, ioas_id);
AT(UAPI_IOAS_MAP_VADDR, iommu_ioas_map, user_va);
AT(UAPI_IOAS_MAP_LENGTH, iommu_ioas_map, length);
AT(UAPI_IOAS_MAP_IOVA, iommu_ioas_map, iova);
SAME(UAPI_IOAS_MAP_SIZE, sizeof(struct iommu_ioas_map));
SAME(UAPI_IOAS_MAP_FLAG_FIXED, IOMMU_IOAS_MAP_FIXED_IOVA);
SAME(UAPI_IOAS_MAP_FLAG_WRITE, IOMMU_IOAS_MAP_WRITEABLE);
SAME(UAPI_IOAS_MAP_FLAG_READ, IOMMU_IOAS_MAP_READABLE);
REQUEST(UAPI_IOMMUFD_UNMAP, IOMMU_IOAS_UNMAP);
AT(UAPI_IOAS_UNMAP_ID, iommu_ioas_unmap, ioas_id);
AT(UAPI_IOAS_UNMAP_IOVA, iommu_ioas_unmap, iova);
AT(UAPI_IOAS_UNMAP_LENGTH, iommu_ioas_unmap, length);
SAME(UAPI_IOAS_UNMAP_SIZE, sizeof(struct iommu_ioas_unmap));
#ifdef IOMMU_IOAS_MAP_FILE
REQUEST(UAPI_IOMMUFD_MAP_FILE, IOMMU_IOAS_MAP_FILE);
AT(UAPI_IOAS_FILE_FD, iommu_ioas_map_file, fd);
AT(UAPI_IOAS_MAP_VADDR, iommu_ioas_map_file, start);
SAME(UAPI_IOAS_MAP_SIZE, sizeof(struct iommu_ioas_map_file));
#endif
#endif
#endif
