/* SPDX-License-Identifier: Apache-2.0
 * test_unit_dropins.c - which files change a unit of systemd, and in which order. */
#include "unit.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "diag/unit_dropins.h"

static char root[64];

static int make_root(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/unit_dropins.XXXXXX");
	return mkdtemp(root) == NULL ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *place)
{
	(void)facts;
	(void)kind;
	(void)place;
	return remove(path);
}

static int remove_root(void **state)
{
	(void)state;
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Under the root; with the directories above it. */
static void touch(const char *path)
{
	char whole[512];
	size_t len = (size_t)snprintf(whole, sizeof(whole), "%s%s", root, path);

	for (size_t i = strlen(root) + 1; i < len; i++) {
		if (whole[i] != '/')
			continue;
		whole[i] = 0;
		(void)mkdir(whole, 0700);
		whole[i] = '/';
	}
	FILE *file = fopen(whole, "w");

	assert_non_null(file);
	fclose(file);
}

static void check_found(const char *unit, size_t count, const char *const *want)
{
	struct unit_dropins dropins;
	char file[512];

	snprintf(file, sizeof(file), "%s%s", root, unit);
	assert_int_equal(unit_dropins_find(root, file, &dropins), 0);
	for (size_t i = 0; i < dropins.count && i < count; i++)
		assert_string_equal(dropins.paths[i] + strlen(root), want[i]);
	assert_int_equal(dropins.count, count);
	unit_dropins_finish(&dropins);
}

static void test_beside_the_unit(void **state)
{
	static const char *const want[] = {"/own/g.service.d/10-a.conf", "/own/service.d/20-b.conf",
					   "/own/g.service.d/30-c.conf"};

	(void)state;
	touch("/own/g.service.d/30-c.conf");
	touch("/own/g.service.d/10-a.conf");
	touch("/own/g.service.d/.hidden.conf");
	touch("/own/g.service.d/.conf");
	touch("/own/g.service.d/40-d.conf~");
	touch("/own/service.d/20-b.conf");
	touch("/own/service.d/10-a.conf"); /* the unit's own goes first */
	touch("/own/other.service.d/50-e.conf");
	touch("/etc/systemd/system/g.service.d/60-f.conf"); /* systemd does not look beside it */
	check_found("/own/g.service", ARRAY_LEN(want), want);
	check_found("/none/g.service", 0, NULL);
}

static void test_where_systemd_looks(void **state)
{
	static const char *const want[] = {"/etc/systemd/system/s.service.d/override.conf",
					   "/usr/lib/systemd/system/s.service.d/vendor.conf"};
	char mask[256];

	(void)state;
	touch("/etc/systemd/system/s.service.d/override.conf");
	touch("/run/systemd/system/s.service.d/override.conf");
	touch("/usr/lib/systemd/system/s.service.d/vendor.conf");
	touch("/usr/lib/systemd/system/s.service.d/masked.conf");
	snprintf(mask, sizeof(mask), "%s/etc/systemd/system/s.service.d/masked.conf", root);
	assert_int_equal(symlink("/dev/null", mask), 0);
	check_found("/usr/lib/systemd/system/s.service", ARRAY_LEN(want), want);
	check_found("/etc/systemd/system/s.service", ARRAY_LEN(want), want);
}

static void test_names(void **state)
{
	static const char *const instance[] = {"/n/g@.service.d/1.conf",
					       "/n/g@eu.service.d/2.conf"};
	static const char *const dashes[] = {"/n/a-b-.service.d/1.conf", "/n/a-.service.d/2.conf"};

	(void)state;
	touch("/n/g@.service.d/1.conf");
	touch("/n/g@eu.service.d/2.conf");
	touch("/n/g@us.service.d/3.conf");
	check_found("/n/g@eu.service", ARRAY_LEN(instance), instance);
	touch("/n/a-b-.service.d/1.conf");
	touch("/n/a-.service.d/1.conf");
	touch("/n/a-.service.d/2.conf");
	check_found("/n/a-b-c.service", ARRAY_LEN(dashes), dashes);
	check_found("/n/no-end", 0, NULL);
}

static void test_too_many(void **state)
{
	struct unit_dropins dropins;
	char path[128];

	(void)state;
	for (int i = 0; i <= UNIT_DROPINS_MAX; i++) {
		snprintf(path, sizeof(path), "/m/g.service.d/%d.conf", i);
		touch(path);
	}
	snprintf(path, sizeof(path), "%s/m/g.service", root);
	assert_int_equal(unit_dropins_find(root, path, &dropins), -E2BIG);
	assert_int_equal(dropins.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beside_the_unit),
		cmocka_unit_test(test_where_systemd_looks),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
