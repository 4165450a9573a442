/* SPDX-License-Identifier: Apache-2.0
 * test_hasher.c - passwords are checked elsewhere, told once, and never more at a time than may. */
#include "unit.h"

#include "auth/hasher.h"

/* As dear as many that wait behind it need it to be. */
#define DEAR "$6$rounds=400000$saltsalt$"

struct asked {
	struct hasher_question question;
	struct loop *loop;
	unsigned told;
	bool is_good;
};

static void done(struct hasher_question *question, bool is_good)
{
	struct asked *asked = CONTAINER_OF(question, struct asked, question);

	assert_null(question->job);
	asked->told++;
	asked->is_good = is_good;
	loop_stop(asked->loop);
}

struct desk {
	struct loop *loop;
	struct mailbox mailbox;
	struct hasher *hasher;
	char cheap[SECRET_CRYPTED_MAX];
};

static struct loop *loop_new(void)
{
	struct loop *loop = NULL;

	assert_int_equal(loop_create(&(struct loop_options){.engine = LOOP_ENGINE_EPOLL}, &loop),
			 0);
	return loop;
}

static void desk_init(struct desk *desk, uint64_t max)
{
	*desk = (struct desk){.loop = loop_new()};
	mailbox_init(&desk->mailbox);
	mailbox_open(&desk->mailbox, desk->loop);
	desk->hasher = hasher_create(max);
	assert_non_null(desk->hasher);
	assert_true(secret_crypt_new("hunter2", desk->cheap));
}

static void desk_finish(struct desk *desk)
{
	mailbox_close(&desk->mailbox);
	hasher_destroy(&desk->hasher);
	assert_null(desk->hasher);
	loop_destroy(&desk->loop);
	mailbox_finish(&desk->mailbox);
}

static struct net_ip address(const char *text)
{
	struct net_ip ip;

	assert_true(net_ip_parse(slice_from_text(text), &ip));
	return ip;
}

static bool ask(struct desk *desk, struct asked *asked, const char *crypted, const char *sent,
		const char *from)
{
	struct users_slow slow = {.crypted = {slice_from_text(crypted)}, .count = 1};
	struct net_ip ip = address(from);

	*asked = (struct asked){.question.done = done, .loop = desk->loop};
	return hasher_ask(desk->hasher, &asked->question, &slow, slice_from_text(sent), &ip,
			  &desk->mailbox);
}

static void test_good_and_wrong(void **state)
{
	struct desk desk;
	struct asked asked;

	(void)state;
	desk_init(&desk, 10);
	assert_true(ask(&desk, &asked, desk.cheap, "hunter2", "192.0.2.1"));
	loop_run(desk.loop);
	assert_true(asked.told == 1 && asked.is_good);
	assert_true(ask(&desk, &asked, desk.cheap, "hunter3", "192.0.2.1"));
	loop_run(desk.loop);
	assert_true(asked.told == 1 && !asked.is_good);
	struct hasher_stats stats = hasher_stats(desk.hasher);

	assert_int_equal(stats.done, 2);
	assert_int_equal(stats.waiting, 0);
	assert_int_equal(stats.refused, 0);
	assert_true(stats.busy_ns > 0);
	desk_finish(&desk);
}

static void test_either_of_two_fits_and_vain_is_in_vain(void **state)
{
	struct desk desk;
	struct asked asked = {.question.done = done};
	struct net_ip ip = address("192.0.2.1");

	(void)state;
	desk_init(&desk, 10);
	asked.loop = desk.loop;
	struct users_slow slow = {
		.crypted = {slice_from_text(DEAR "no"), slice_from_text(desk.cheap)}, .count = 2};

	assert_true(hasher_ask(desk.hasher, &asked.question, &slow, SLICE_LITERAL("hunter2"), &ip,
			       &desk.mailbox));
	loop_run(desk.loop);
	assert_true(asked.is_good);
	slow.is_vain = true;
	assert_true(hasher_ask(desk.hasher, &asked.question, &slow, SLICE_LITERAL("hunter2"), &ip,
			       &desk.mailbox));
	loop_run(desk.loop);
	assert_false(asked.is_good);
	desk_finish(&desk);
}

static void test_one_address_does_not_fill_the_queue(void **state)
{
	struct desk desk;
	struct asked asked[HASHER_PER_ADDRESS], more, other, neighbour;

	(void)state;
	desk_init(&desk, HASHER_PER_ADDRESS + 1);
	for (size_t i = 0; i < HASHER_PER_ADDRESS; i++)
		assert_true(ask(&desk, &asked[i], DEAR, "x", "2001:db8::1"));
	assert_false(ask(&desk, &more, DEAR, "x", "2001:db8::1"));
	/* Of the same /64. */
	assert_false(ask(&desk, &more, DEAR, "x", "2001:db8::ffff:1"));
	assert_true(ask(&desk, &other, DEAR, "x", "2001:db8:0:1::1"));
	/* Now it is full. */
	assert_false(ask(&desk, &neighbour, DEAR, "x", "192.0.2.1"));
	hasher_set_max(desk.hasher, 1);
	assert_false(ask(&desk, &neighbour, DEAR, "x", "192.0.2.1"));
	hasher_set_max(desk.hasher, HASHER_PER_ADDRESS + 1);
	struct hasher_stats stats = hasher_stats(desk.hasher);

	assert_int_equal(stats.refused, 4);
	assert_int_equal(stats.max, HASHER_PER_ADDRESS + 1);
	for (size_t i = 0; i < HASHER_PER_ADDRESS; i++)
		hasher_cancel(&asked[i].question);
	while (other.told == 0)
		loop_run(desk.loop);
	assert_false(other.is_good);
	for (size_t i = 0; i < HASHER_PER_ADDRESS; i++)
		assert_int_equal(asked[i].told, 0);
	assert_int_equal(hasher_stats(desk.hasher).waiting, 0);
	desk_finish(&desk);
}

/* The gateway ends while passwords wait, and while one is under way. */
static void test_the_end_before_the_answer(void **state)
{
	struct desk desk;
	struct asked asked[3];

	(void)state;
	desk_init(&desk, 10);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		assert_true(ask(&desk, &asked[i], DEAR, "x", "192.0.2.1"));
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		hasher_cancel(&asked[i].question);
	desk_finish(&desk);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		assert_int_equal(asked[i].told, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_and_wrong),
		cmocka_unit_test(test_either_of_two_fits_and_vain_is_in_vain),
		cmocka_unit_test(test_one_address_does_not_fill_the_queue),
		cmocka_unit_test(test_the_end_before_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
