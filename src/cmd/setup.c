/*
 * setup.c - the set-up options as keys of a profile, so that learn writes what run would do.
 */
#include "cmd/setup.h"

#include <string.h>

#include "cmd/program.h"

void sl_setup_release(struct sl_setup *s)
{
	sl_list_release(&s->read);
	sl_list_release(&s->write);
	sl_list_release(&s->env);
	sl_list_release(&s->cpu_cores);
}

/* Add KEY=VALUE, in the place of what the profile has for KEY. */
static void set_env(struct sl_list *env, const char *text)
{
	size_t key_len = strcspn(text, "=") + 1;

	for (size_t i = 0; i < env->len; i++) {
		if (!strncmp(env->items[i].text, text, key_len)) {
			free(env->items[i].text);
			env->items[i].text = sl_xstrdup(text);
			return;
		}
	}
	sl_list_add(env, text, 0);
}

static void set_flag(enum sl_tristate *key, bool asked)
{
	if (asked)
		*key = SL_TRUE;
}

void sl_setup_apply(const struct sl_setup *s, struct sl_profile *profile)
{
	for (size_t i = 0; i < s->env.len; i++)
		set_env(&profile->program.env, s->env.items[i].text);
	for (size_t i = 0; i < s->cpu_cores.len; i++)
		if (!sl_list_contains(&profile->limits.cpu_cores, s->cpu_cores.items[i].text))
			sl_list_add(&profile->limits.cpu_cores, s->cpu_cores.items[i].text, 0);
	if (s->cwd) {
		free(profile->program.cwd);
		profile->program.cwd = sl_absolute(NULL, s->cwd);
	}
	if (s->open_files)
		profile->limits.open_files = s->open_files;
	set_flag(&profile->program.clean_env, s->clean_env);
	set_flag(&profile->program.no_coredump, s->no_coredump);
	set_flag(&profile->program.no_huge_pages, s->no_huge_pages);
	set_flag(&profile->determinism.no_randomize_memory, s->no_randomize_memory);
}
