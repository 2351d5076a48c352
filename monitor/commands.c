/* SPDX-License-Identifier: BSD-3-Clause */
/* commands.c - what the control socket understands */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "describe.h"
#include "vm.h"

#define JSON_DEPTH_MAX 4

struct command {
	const char *name;
	/* Members besides "command" and "id", each a string; NULL ends them. */
	const char *members[3];
	struct json_object *(*run)(struct vm *vm, struct json_object *asked,
				   struct command_result *result, struct cxlvm_error *err);
};

/* So much of what a client wrote is shown, in whole characters. */
#define SHOWN_MAX 64

static int shown(const char *text)
{
	size_t n = strnlen(text, SHOWN_MAX + 1);

	if (n <= SHOWN_MAX)
		return (int)n;
	/* Not before a byte that continues one. */
	for (n = SHOWN_MAX; n && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
		;
	return (int)n;
}

static const char *member(struct json_object *asked, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(asked, name, &value) ? json_object_get_string(value)
							      : NULL;
}

static struct json_object *run_status(struct vm *vm, struct json_object *asked,
				      struct command_result *result, struct cxlvm_error *err)
{
	struct json_object *status = json_object_new_object();

	(void)asked;
	(void)result;
	(void)err;
	json_object_object_add(status, "version", json_object_new_string(cxlvm_version()));
	json_object_object_add(status, "cpus", json_object_new_uint64(vm->n_vcpus));
	json_object_object_add(status, "memory_size", json_object_new_uint64(vm->ram.size));
	json_object_object_add(status, "phys_bits", json_object_new_uint64(vm->phys_bits));
	json_object_object_add(status, "resets", json_object_new_uint64(vm->n_resets));
	json_object_object_add(status, "devices", describe_devices(vm));
	return status;
}

static struct json_object *run_map(struct vm *vm, struct json_object *asked,
				   struct command_result *result, struct cxlvm_error *err)
{
	(void)asked;
	(void)result;
	return describe_map(vm, err);
}

static struct json_object *run_devices(struct vm *vm, struct json_object *asked,
				       struct command_result *result, struct cxlvm_error *err)
{
	(void)asked;
	(void)result;
	(void)err;
	return describe_registers(vm);
}

static struct device *find_device(struct vm *vm, const char *name)
{
	for (unsigned int i = 0; i < vm->n_devices; i++)
		if (!strcmp(vm->devices[i].name, name))
			return &vm->devices[i];
	return NULL;
}

static struct json_object *run_reset(struct vm *vm, struct json_object *asked,
				     struct command_result *result, struct cxlvm_error *err)
{
	static const struct {
		const char *name;
		enum cxlvm_reset_kind kind;
	} kinds[] = {
		{ "flr", CXLVM_RESET_FUNCTION },
		{ "cxl", CXLVM_RESET_CXL },
		{ "bus", CXLVM_RESET_BUS },
	};
	const char *name = member(asked, "device");
	const char *kind = member(asked, "kind");
	struct device *device = name ? find_device(vm, name) : NULL;

	if (!name && !kind) {
		result->wish = CONTROL_RESET;
		return NULL;
	}
	if (!name || !kind) {
		cxlvm_error_set(err, -EINVAL, "command reset has a %s and no %s",
				name ? "device" : "kind", name ? "kind" : "device");
		cxlvm_error_hint(err, "give both for a device, neither for the machine; kinds are "
				      "flr, cxl and bus");
		return NULL;
	}
	if (!device) {
		cxlvm_error_set(err, -ENODEV, "there is no device '%.*s'", shown(name), name);
		cxlvm_error_hint(err, "the command status lists the devices");
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].name, kind))
			continue;
		(void)device_reset(device, kinds[i].kind, err);
		return NULL;
	}
	cxlvm_error_set(err, -EINVAL, "'%.*s' is no kind of reset", shown(kind), kind);
	cxlvm_error_hint(err, "kinds are flr, cxl and bus");
	return NULL;
}

static struct json_object *run_stop(struct vm *vm, struct json_object *asked,
				    struct command_result *result, struct cxlvm_error *err)
{
	(void)vm;
	(void)asked;
	(void)err;
	result->wish = CONTROL_STOP;
	return NULL;
}

static struct json_object *run_events(struct vm *vm, struct json_object *asked,
				      struct command_result *result, struct cxlvm_error *err)
{
	(void)vm;
	(void)asked;
	(void)err;
	result->listen = true;
	return NULL;
}

static const struct command commands[] = {
	{ "status", { NULL }, run_status },   { "map", { NULL }, run_map },
	{ "devices", { NULL }, run_devices }, { "reset", { "device", "kind", NULL }, run_reset },
	{ "stop", { NULL }, run_stop },       { "events", { NULL }, run_events },
};

struct json_object *control_success(struct json_object *id, struct json_object *result)
{
	struct json_object *reply = json_object_new_object();

	if (id)
		json_object_object_add(reply, "id", id);
	json_object_object_add(reply, "ok", json_object_new_boolean(true));
	if (result)
		json_object_object_add(reply, "result", result);
	return reply;
}

struct json_object *control_error(struct json_object *id, const char *message, const char *hint)
{
	struct json_object *reply = json_object_new_object();

	if (id)
		json_object_object_add(reply, "id", id);
	json_object_object_add(reply, "ok", json_object_new_boolean(false));
	json_object_object_add(reply, "error", json_object_new_string(message));
	if (hint[0])
		json_object_object_add(reply, "hint", json_object_new_string(hint));
	return reply;
}

/* As a byte or as an escape: strings end there in what follows, and would be taken for others. */
static bool has_nul(const char *line, size_t n)
{
	if (memchr(line, 0, n))
		return true;
	for (const char *c = line; (c = strchr(c, '\\')) && c[1]; c += 2)
		if (!strncmp(c + 1, "u0000", 5))
			return true;
	return false;
}

/* One JSON object and nothing behind it; NULL with err set. */
static struct json_object *parse(const char *line, size_t n, struct cxlvm_error *err)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
	struct json_object *asked = NULL;
	enum json_tokener_error problem = json_tokener_error_size;

	if (tokener) {
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
		asked = json_tokener_parse_ex(tokener, line, (int)n + 1);
		problem = json_tokener_get_error(tokener);
		json_tokener_free(tokener);
	}
	if (has_nul(line, n))
		cxlvm_error_set(err, -EINVAL, "the line has a character 0 (U+0000) in it");
	else if (problem != json_tokener_success)
		cxlvm_error_set(err, -EINVAL, "the line is no JSON: %s",
				json_tokener_error_desc(problem));
	else if (!json_object_is_type(asked, json_type_object))
		cxlvm_error_set(err, -EINVAL, "the line is no JSON object");
	else
		return asked;
	cxlvm_error_hint(err, "for example {\"command\":\"status\"}");
	json_object_put(asked);
	return NULL;
}

static const struct command *find_command(struct json_object *asked, struct cxlvm_error *err)
{
	const char *name = member(asked, "command");

	for (size_t i = 0; name && i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	if (name)
		cxlvm_error_set(err, -EINVAL, "unknown command '%.*s'", shown(name), name);
	else
		cxlvm_error_set(err, -EINVAL, "the object has no member \"command\"");
	cxlvm_error_hint(err, "commands are status, map, devices, reset, stop, events");
	return NULL;
}

static bool members_are_known(const struct command *command, struct json_object *asked,
			      struct cxlvm_error *err)
{
	json_object_object_foreach(asked, key, value)
	{
		bool known = !strcmp(key, "id") || !strcmp(key, "command");

		for (size_t i = 0; !known && command->members[i]; i++)
			known = !strcmp(key, command->members[i]);
		if (!known) {
			cxlvm_error_set(err, -EINVAL, "command %s has no member '%.*s'",
					command->name, shown(key), key);
			return false;
		}
		if (strcmp(key, "id") && !json_object_is_type(value, json_type_string)) {
			cxlvm_error_set(err, -EINVAL, "member '%.*s' is no string", shown(key),
					key);
			return false;
		}
	}
	return true;
}

/*
 * What comes back as it was: NULL with err set if that cannot be said. json-c takes the nearest number
 * of 64 bits for those beyond, and no object at all for null.
 */
static struct json_object *take_id(struct json_object *id, struct cxlvm_error *err)
{
	switch (json_object_get_type(id)) {
	case json_type_null:
		id = json_object_new_string("null");
		json_object_set_serializer(id, json_object_userdata_to_json_string,
					   (void *)(uintptr_t) "null", NULL);
		return id;
	case json_type_int:
		if (json_object_get_int64(id) != INT64_MIN &&
		    json_object_get_uint64(id) != UINT64_MAX)
			return json_object_get(id);
		cxlvm_error_set(err, -ERANGE, "the id is a number beyond 64 bits");
		break;
	case json_type_array:
	case json_type_object:
		cxlvm_error_set(err, -EINVAL, "the id is an array or an object");
		break;
	default:
		return json_object_get(id);
	}
	cxlvm_error_hint(err, "an id is a string, or a number of at most 64 bits");
	return NULL;
}

struct json_object *control_command(struct vm *vm, const char *line, size_t n,
				    struct command_result *result)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct json_object *asked = parse(line, n, &err);
	struct json_object *reply = NULL;
	struct json_object *id = NULL;
	const struct command *command = NULL;

	if (asked && json_object_object_get_ex(asked, "id", &id))
		id = take_id(id, &err);
	if (asked && !err.code)
		command = find_command(asked, &err);
	if (command && members_are_known(command, asked, &err))
		reply = command->run(vm, asked, result, &err);
	json_object_put(asked);
	result->id = id;
	if (id)
		json_object_get(id);
	if (err.code) {
		json_object_put(reply);
		return control_error(id, err.message, err.hint);
	}
	return control_success(id, reply);
}
