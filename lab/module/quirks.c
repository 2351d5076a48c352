// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/* Quirks of the kernel shape by their names. */
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "lab.h"

static int quirk_of(const char *name)
{
	for (unsigned int i = 0; i < SHAPE_QUIRKS; i++)
		if (!strcmp(shape_quirk_list[i].name, name))
			return i;
	return -EINVAL;
}

static bool is_excluded(struct shape_quirks *quirks, unsigned int quirk)
{
	unsigned int group = shape_quirk_list[quirk].group;

	for (unsigned int i = 0; group && i < SHAPE_QUIRKS; i++)
		if (i != quirk && shape_quirk_list[i].group == group &&
		    *shape_quirk_switch(quirks, i))
			return true;
	return false;
}

int lab_quirks_parse(const char *text, struct shape_quirks *quirks)
{
	char *copy = kstrdup(text, GFP_KERNEL), *rest = copy, *name;
	int ret = 0;

	if (!copy)
		return -ENOMEM;
	*quirks = (struct shape_quirks){ .times = quirks->times };
	while (!ret && (name = strsep(&rest, ","))) {
		int quirk = *name ? quirk_of(name) : 0;

		if (!*name)
			continue;
		if (quirk < 0 || is_excluded(quirks, quirk))
			ret = -EINVAL;
		else
			*shape_quirk_switch(quirks, quirk) = true;
	}
	kfree(copy);
	return ret;
}

int lab_quirks_print(const struct shape_quirks *quirks, char *buf, size_t len)
{
	struct shape_quirks copy = *quirks;
	int n = 0;

	buf[0] = 0;
	for (unsigned int i = 0; i < SHAPE_QUIRKS; i++)
		if (*shape_quirk_switch(&copy, i))
			n += scnprintf(buf + n, len - n, "%s%s", n ? "," : "",
				       shape_quirk_list[i].name);
	return n;
}
