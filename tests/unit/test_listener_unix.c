/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/listener_unix.h"

struct place {
	char folder[32];
	char path[64];
	struct listener_unix socket;
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	snprintf(place->folder, sizeof(place->folder), "/tmp/unix.XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->path, sizeof(place->path), "%s/s", place->folder);
	place->socket = (struct listener_unix){
		.path = place->path, .mode = 0640, .uid = (uid_t)-1, .gid = (gid_t)-1};
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	unlink(place->path);
	assert_int_equal(rmdir(place->folder), 0);
	free(place);
	return 0;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	int r = connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;

	close(fd);
	return r;
}

static void test_it_listens_with_its_mode_and_goes(void **state)
{
	struct place *place = *state;
	struct stat facts;

	assert_int_equal(listener_unix_check(&place->socket), 0);
	int fd = listener_unix_bind(&place->socket);

	assert_true(fd >= 0);
	assert_int_equal(stat(place->path, &facts), 0);
	assert_int_equal(facts.st_mode & 07777, 0640);
	assert_int_equal(connect_to(place->path), 0);
	assert_int_equal(listener_unix_holder(place->path), getpid());
	listener_unix_remove(&place->socket);
	assert_int_equal(access(place->path, F_OK), -1);
	close(fd);
}

/* Of another process: it goes with whoever has adopted it. */
static void test_adopted(void **state)
{
	struct place *place = *state;
	struct listener_unix other = {.path = place->path};
	int fd = listener_unix_bind(&place->socket);

	assert_true(fd >= 0);
	listener_unix_remove(&other); /* it is not its own */
	assert_int_equal(connect_to(place->path), 0);
	assert_int_equal(listener_unix_adopt(&other), 0);
	listener_unix_remove(&other);
	assert_int_equal(connect_to(place->path), -ENOENT);
	assert_int_equal(listener_unix_adopt(&other), -ENOENT);
	close(fd);
}

static void test_who_listens_is_left_alone(void **state)
{
	struct place *place = *state;
	struct listener_unix other = place->socket;
	int fd = listener_unix_bind(&place->socket);

	assert_true(fd >= 0);
	assert_int_equal(listener_unix_check(&other), -EADDRINUSE);
	assert_int_equal(listener_unix_bind(&other), -EADDRINUSE);
	listener_unix_remove(&other); /* it did not make it */
	assert_int_equal(connect_to(place->path), 0);
	close(fd);
}

static void test_what_is_left_over_is_replaced(void **state)
{
	struct place *place = *state;
	struct listener_unix first = place->socket;
	int fd = listener_unix_bind(&first);

	close(fd); /* and its file stays */
	assert_int_equal(connect_to(place->path), -ECONNREFUSED);
	assert_int_equal(listener_unix_holder(place->path), 0);
	assert_int_equal(listener_unix_check(&place->socket), 0);
	fd = listener_unix_bind(&place->socket);
	assert_true(fd >= 0);
	assert_int_equal(connect_to(place->path), 0);
	listener_unix_remove(&first); /* another's by now, if the inode is not used again */
	close(fd);
}

static void test_a_file_is_no_socket(void **state)
{
	struct place *place = *state;
	FILE *file = fopen(place->path, "w");

	assert_non_null(file);
	fclose(file);
	assert_int_equal(listener_unix_check(&place->socket), -EEXIST);
	assert_int_equal(listener_unix_bind(&place->socket), -EEXIST);
	assert_int_equal(access(place->path, F_OK), 0);
}

static void test_without_its_folder(void **state)
{
	struct place *place = *state;

	place->socket.path = "/tmp/no-such-folder/s";
	assert_int_equal(listener_unix_check(&place->socket), -ENOENT);
	assert_int_equal(listener_unix_bind(&place->socket), -ENOENT);
}

static void test_an_owner_that_may_not_be_leaves_nothing(void **state)
{
	enum { NOBODY = 65534 };
	struct place *place = *state;
	bool is_root = geteuid() == 0;

	if (is_root) { /* who could give it to anybody */
		assert_int_equal(chown(place->folder, NOBODY, (gid_t)-1), 0);
		assert_int_equal(seteuid(NOBODY), 0);
	}
	place->socket.uid = 0;
	int r = listener_unix_bind(&place->socket);

	if (is_root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(r, -EPERM);
	assert_int_equal(access(place->path, F_OK), -1);
}

int main(void)
{
#define AT_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		AT_PLACE(test_it_listens_with_its_mode_and_goes),
		AT_PLACE(test_adopted),
		AT_PLACE(test_who_listens_is_left_alone),
		AT_PLACE(test_what_is_left_over_is_replaced),
		AT_PLACE(test_a_file_is_no_socket),
		AT_PLACE(test_without_its_folder),
		AT_PLACE(test_an_owner_that_may_not_be_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
