/* SPDX-License-Identifier: BSD-3-Clause */
/* That it compiled is the test. */
int main(void)
{
	return 0;
}
