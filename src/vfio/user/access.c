/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio/user/access.h"

#include <errno.h>
#include <string.h>

#include "base/math.h"

/* One message; in or out is NULL. */
static int access_once(struct connection *conn, uint32_t region, uint64_t offset, uint8_t *in,
		       const uint8_t *out, uint32_t count)
{
	uint8_t request[VU_ACCESS_BYTES], answer[VU_ACCESS_BYTES];
	struct call call = {
		.command = in ? VU_REGION_READ : VU_REGION_WRITE,
		.head = request,
		.head_size = sizeof(request),
		.data = out,
		.data_size = out ? count : 0,
		.reply = answer,
		.reply_size = sizeof(answer),
		.reply_data = in,
		.reply_room = in ? count : 0,
	};
	int ret;

	put_le64(request + VU_ACCESS_OFFSET, offset);
	put_le32(request + VU_ACCESS_REGION, region);
	put_le32(request + VU_ACCESS_COUNT, count);
	ret = connection_call(conn, &call);
	if (ret)
		return ret;
	/* Short, long, or about something else. */
	if (call.got != (in ? count : 0) || memcmp(answer, request, sizeof(request)))
		return -EIO;
	return 0;
}

static int access_all(struct connection *conn, uint32_t region, uint64_t offset, uint8_t *in,
		      const uint8_t *out, size_t len)
{
	uint64_t most = conn->server.max_data_xfer_size;
	int ret = 0;

	if (most > CONNECTION_DATA_MAX)
		most = CONNECTION_DATA_MAX;
	for (size_t done = 0; !ret && done < len;) {
		size_t left = len - done;
		uint32_t count = (uint32_t)(left < most ? left : most);

		ret = access_once(conn, region, offset + done, in ? in + done : NULL,
				  out ? out + done : NULL, count);
		done += count;
	}
	return ret;
}

int access_read(struct connection *conn, uint32_t region, uint64_t offset, void *buf, size_t len)
{
	return access_all(conn, region, offset, buf, NULL, len);
}

int access_write(struct connection *conn, uint32_t region, uint64_t offset, const void *buf,
		 size_t len)
{
	return access_all(conn, region, offset, NULL, buf, len);
}
