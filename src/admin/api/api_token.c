/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/api/api_token.h"

#include "config/config_secret.h"

bool api_token_load(const struct config_admin *config, struct api_token *out_token,
		    struct api_token_error *out_error)
{
	return config_secret_load(CONFIG_OPTION_admin_token, &config->token_file, &config->token,
				  &out_token->text, out_error->text, sizeof(out_error->text));
}

/* All bytes of both, whatever the first difference. */
static bool equals_in_constant_time(const struct config_text *a, const struct config_text *b)
{
	volatile unsigned difference = 0;

	for (size_t i = 0; i < sizeof(a->text); i++)
		difference |= (unsigned)(uint8_t)a->text[i] ^ (uint8_t)b->text[i];
	return difference == 0;
}

enum api_token_result api_token_check(const struct api_token *token, struct slice field)
{
	static const char scheme[] = "Bearer ";
	const size_t scheme_len = strlen(scheme);
	struct config_text given = {0};

	if (!slice_starts_nocase(field, scheme))
		return API_TOKEN_MISSING;
	struct slice text = slice_trim(slice_of(field.data + scheme_len, field.len - scheme_len));

	if (text.len == 0 || text.len >= sizeof(given.text))
		return API_TOKEN_WRONG;
	memcpy(given.text, text.data, text.len);
	return equals_in_constant_time(&token->text, &given) ? API_TOKEN_GOOD : API_TOKEN_WRONG;
}
