/*
 * toml.cc - toml++ behind toml.h: the one C++ file.
 *
 * Exceptions are off; what would throw (no memory) ends the process, as everywhere here. toml++ 3.3.0 has
 * assertions that some valid documents trip, so it is compiled without them.
 */
#ifndef NDEBUG
#define NDEBUG
#endif
/* pkg-config's flags are for those who link the shared library. */
#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#define TOML_HEADER_ONLY       1
#define TOML_EXCEPTIONS	       0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/impl/preprocessor.h>
/* toml++ 3.3.0 calls unreachable what a letter of some scripts does reach, also in a valid document, when it asks
 * whether that letter is a space; and assumes what its assertions claim. Both would be undefined behaviour. */
#undef TOML_ASSUME
#define TOML_ASSUME(...) static_assert(true)
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE return false
#include <toml++/impl/forward_declarations.h>
#include <toml++/impl/unicode.h>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE __builtin_trap()
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "profile/toml.h"

namespace
{

void *allocate(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size);

	if (!p)
		abort();
	return p;
}

char *copy_bytes(const std::string &s)
{
	char *copy = static_cast<char *>(allocate(s.size() + 1, 1));

	s.copy(copy, s.size());
	return copy;
}

void convert(const toml::node &from, sl_toml_node &to);

bool stands_before(const sl_toml_node &a, const sl_toml_node &b)
{
	return a.key_line != b.key_line ? a.key_line < b.key_line : a.key_column < b.key_column;
}

/* toml++ sorts a table by key; whoever reads messages wants them in the order of the file. */
void convert_table(const toml::table &from, sl_toml_node &to)
{
	size_t i = 0;

	to.type = SL_TOML_TABLE;
	to.count = from.size();
	to.children = static_cast<sl_toml_node *>(allocate(to.count, sizeof(sl_toml_node)));
	for (auto &&[key, value] : from) {
		sl_toml_node &child = to.children[i++];

		convert(value, child);
		child.key = copy_bytes(std::string(key.str()));
		child.key_len = key.str().size();
		child.key_line = static_cast<int>(key.source().begin.line);
		child.key_column = static_cast<int>(key.source().begin.column);
	}
	std::stable_sort(to.children, to.children + to.count, stands_before);
}

void convert_array(const toml::array &from, sl_toml_node &to)
{
	size_t i = 0;

	to.type = SL_TOML_ARRAY;
	to.count = from.size();
	to.children = static_cast<sl_toml_node *>(allocate(to.count, sizeof(sl_toml_node)));
	for (auto &&value : from)
		convert(value, to.children[i++]);
}

void convert(const toml::node &from, sl_toml_node &to)
{
	to.line = static_cast<int>(from.source().begin.line);
	to.column = static_cast<int>(from.source().begin.column);
	switch (from.type()) {
	case toml::node_type::table:
		convert_table(*from.as_table(), to);
		break;
	case toml::node_type::array:
		convert_array(*from.as_array(), to);
		break;
	case toml::node_type::string:
		to.type = SL_TOML_STRING;
		to.string = copy_bytes(from.as_string()->get());
		to.len = from.as_string()->get().size();
		break;
	case toml::node_type::integer:
		to.type = SL_TOML_INTEGER;
		to.integer = from.as_integer()->get();
		break;
	case toml::node_type::boolean:
		to.type = SL_TOML_BOOLEAN;
		to.boolean = from.as_boolean()->get();
		break;
	case toml::node_type::floating_point:
		to.type = SL_TOML_FLOAT;
		break;
	default:
		to.type = SL_TOML_TIME;
		break;
	}
}

void release(sl_toml_node &node)
{
	for (size_t i = 0; i < node.count; i++)
		release(node.children[i]);
	free(node.children);
	free(node.key);
	free(node.string);
}

} // namespace

int sl_toml_parse(const char *text, size_t len, struct sl_toml_node **ret, struct sl_toml_error *err)
{
	int r = sl_toml_check_bounds(text, len, err);

	if (r < 0)
		return r;

	toml::parse_result result = toml::parse(std::string_view(text, len));

	if (result.failed()) {
		const toml::parse_error &error = result.error();

		err->line = static_cast<int>(error.source().begin.line);
		err->column = static_cast<int>(error.source().begin.column);
		snprintf(err->text, sizeof(err->text), "%.*s", static_cast<int>(error.description().size()),
			 error.description().data());
		return -EINVAL;
	}
	*ret = static_cast<sl_toml_node *>(allocate(1, sizeof(**ret)));
	convert(result.table(), **ret);
	return 0;
}

void sl_toml_free(struct sl_toml_node *root)
{
	if (root)
		release(*root);
	free(root);
}
