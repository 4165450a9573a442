/* SPDX-License-Identifier: Apache-2.0
 * certificate_map.c - sorted by the certificates' texts, which are looked up by halves. */
#include "auth/certificate_map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth_way.h"
#include "base/check.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/reference.h"
#include "base/unicode.h"
#include "proto/utf8.h"
#include "tls/tls_peer.h"

#define FINGERPRINT_DIGITS 64

static const struct slice arrow = SLICE_LITERAL("=>");

struct entry {
	const char *certificate; /* lower-case digits, or a subject */
	const char *id;
	size_t line;
};

struct certificate_map {
	uint32_t references; /* atomic */
	size_t count;
	struct entry *entries;
	char *text; /* what they point to */
};

struct certificate_map *certificate_map_ref(struct certificate_map *map)
{
	reference_take(&map->references);
	return map;
}

void certificate_map_unref(struct certificate_map **map)
{
	struct certificate_map *self = *map;

	*map = NULL;
	if (self == NULL || !reference_drop(&self->references))
		return;
	free(self->entries);
	free(self->text);
	free(self);
}

size_t certificate_map_count(const struct certificate_map *map)
{
	return map->count;
}

/* --- lines --- */

struct reading {
	struct certificate_map *map;
	char *end; /* of what is kept in map->text */
	const char *file;
	size_t line;
	struct certificate_map_error *error;
};

static int reject(const struct reading *reading, const char *what)
{
	snprintf(reading->error->text, sizeof(reading->error->text), "%s:%zu: the line %s",
		 reading->file, reading->line, what);
	return -EINVAL;
}

static const char *keep(struct reading *reading, struct slice text)
{
	char *to = reading->end;

	memcpy(to, text.data, text.len);
	to[text.len] = 0;
	reading->end += text.len + 1;
	return to;
}

/* Digits in pairs, with colons between all of them or none. 0: it is none. */
static size_t fingerprint_read(struct slice text, char out[FINGERPRINT_DIGITS])
{
	bool has_colons = text.len > 2 && text.data[2] == ':';
	size_t step = has_colons ? 3 : 2, len = 0;

	if (text.len != (size_t)FINGERPRINT_DIGITS / 2 * step - has_colons)
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		int digit = hex_value(text.data[i]);

		if (i % step == 2 ? text.data[i] != ':' : digit < 0)
			return 0;
		if (i % step != 2)
			out[len++] = "0123456789abcdef"[digit];
	}
	return len;
}

static int certificate_take(struct reading *reading, struct slice text, const char **out)
{
	char digits[FINGERPRINT_DIGITS];
	size_t len = fingerprint_read(text, digits);

	if (len == 0 && (text.len == 0 || memchr(text.data, '=', text.len) == NULL))
		return reject(reading, "names no certificate before the '=>'; write its SHA-256 in "
				       "64 hex digits, or its subject: CN=...");
	*out = keep(reading, len > 0 ? slice_of(digits, len) : text);
	return 0;
}

static int id_take(struct reading *reading, struct slice text, const char **out)
{
	if (text.len == 0)
		return reject(reading, "has no client id behind the '=>'");
	if (text.len > AUTH_CLIENT_ID_MAX)
		return reject(reading, "has a client id of more than 255 bytes");
	*out = keep(reading, text);
	return 0;
}

static int line_take(struct reading *reading, struct slice line)
{
	struct entry *entry = &reading->map->entries[reading->map->count];

	if (unicode_has_control(line))
		return reject(reading, "has a control character");
	if (!utf8_is_valid(line.data, line.len))
		return reject(reading, "is not UTF-8");
	const uint8_t *at = memmem(line.data, line.len, arrow.data, arrow.len);

	if (at == NULL)
		return reject(reading, "has no '=>'; write CERTIFICATE => ID");
	struct slice left = slice_trim(slice_of(line.data, (size_t)(at - line.data)));
	struct slice right = slice_trim(
		slice_of(at + arrow.len, (size_t)(line.data + line.len - at) - arrow.len));
	int r = certificate_take(reading, left, &entry->certificate);

	if (r == 0)
		r = id_take(reading, right, &entry->id);
	entry->line = reading->line;
	reading->map->count += r == 0;
	return r;
}

static int entry_compare(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->certificate,
		      ((const struct entry *)b)->certificate);
}

/* Which of two lines counts must not depend on their order. */
static int repeats_check(struct reading *reading)
{
	const struct certificate_map *map = reading->map;

	for (size_t i = 1; i < map->count; i++) {
		const struct entry *one = &map->entries[i - 1], *two = &map->entries[i];
		bool is_in_order = one->line < two->line;

		if (strcmp(one->certificate, two->certificate) != 0)
			continue;
		snprintf(reading->error->text, sizeof(reading->error->text),
			 "%s:%zu: the certificate %.200s is in line %zu too; remove one",
			 reading->file, is_in_order ? two->line : one->line, one->certificate,
			 is_in_order ? one->line : two->line);
		return -EINVAL;
	}
	return 0;
}

/* --- all of it --- */

/* A line with both texts has an arrow, which their NULs have the place of. */
static struct certificate_map *map_create(struct slice text)
{
	struct certificate_map *map = calloc(1, sizeof(*map));

	if (map == NULL)
		return NULL;
	map->references = 1;
	map->entries = calloc(MAX(slice_count_lines(text), 1), sizeof(struct entry));
	map->text = malloc(text.len + 1);
	if (map->entries == NULL || map->text == NULL)
		certificate_map_unref(&map);
	return map;
}

static int lines_take(struct reading *reading, struct slice text)
{
	struct slice line;
	int r = 0;

	while (r == 0 && slice_next_line(&text, &line)) {
		reading->line++;
		line = slice_trim(line);
		if (line.len > 0 && line.data[0] != '#')
			r = line_take(reading, line);
	}
	return r;
}

int certificate_map_parse(const char *file, struct slice text, struct certificate_map **out_map,
			  struct certificate_map_error *error)
{
	struct reading reading = {.map = map_create(text), .file = file, .error = error};

	if (reading.map == NULL) {
		snprintf(error->text, sizeof(error->text), "%s: out of memory", file);
		return -ENOMEM;
	}
	reading.end = reading.map->text;
	int r = lines_take(&reading, text);

	if (r == 0 && reading.map->count == 0) {
		snprintf(error->text, sizeof(error->text),
			 "%s: has no certificate; write CERTIFICATE => ID in a line", file);
		r = -EINVAL;
	}
	if (r == 0) {
		qsort(reading.map->entries, reading.map->count, sizeof(struct entry),
		      entry_compare);
		r = repeats_check(&reading);
	}
	if (r == 0)
		*out_map = reading.map;
	else
		certificate_map_unref(&reading.map);
	return r;
}

int certificate_map_read(const char *file, struct certificate_map **out_map,
			 struct certificate_map_error *error)
{
	struct file_content content;
	int r = file_load(file, CERTIFICATE_MAP_FILE_MAX, &content);

	if (r == -EFBIG)
		snprintf(error->text, sizeof(error->text), "%s is larger than %zu MiB", file,
			 CERTIFICATE_MAP_FILE_MAX >> 20);
	else if (r < 0)
		snprintf(error->text, sizeof(error->text),
			 "%s cannot be read: %s; let the user of this process read it", file,
			 r == -ESPIPE ? "it is no file" : strerror(-r));
	if (r < 0)
		return r == -ENOMEM ? r : -EINVAL;
	r = certificate_map_parse(file, slice_of(content.data, content.len), out_map, error);
	free(content.data);
	return r;
}

/* --- asking --- */

static const char *find(const struct certificate_map *map, const char *certificate)
{
	const struct entry wanted = {.certificate = certificate};
	const struct entry *found;

	if (certificate == NULL)
		return NULL;
	found = bsearch(&wanted, map->entries, map->count, sizeof(wanted), entry_compare);
	return found == NULL ? NULL : found->id;
}

const char *certificate_map_find(const struct certificate_map *map,
				 const struct tls_peer_facts *peer)
{
	const char *id = find(map, peer->fingerprint);

	return id != NULL ? id : find(map, peer->subject);
}
