// A module of Node for warm.js: lets a Node that was started ahead begin when its job begins.
//
// Node keeps the moment of its start in a few numbers that no JavaScript can set, and tells from them what performance.now(),
// process.uptime(), the time stamps of events and of performance entries, and the times in a diagnostic report are. Those are set
// here, so that what a program sees is Node's own functions. Numbers with a name are found by it; those in the Environment object by the
// value that they must have, and if there isn't just one such number, nothing is set and the sandbox isn't used (warm.js throws).

#include <stddef.h>
#include <stdint.h>

#define CXX(name) __asm__(#name)

typedef void *handle; // v8::Local and the pointers of Node-API

struct moment { // uv_timeval64_t
	int64_t sec;
	int32_t usec;
};

extern uint64_t node_start_time CXX(_ZN4node11per_process15node_start_timeE);
extern uint64_t process_start CXX(_ZN4node11performance25performance_process_startE);
extern double process_start_timestamp CXX(_ZN4node11performance35performance_process_start_timestampE);
extern handle get_current(void) CXX(_ZN2v87Isolate10GetCurrentEv);
extern handle get_current_context(handle isolate) CXX(_ZN2v87Isolate17GetCurrentContextEv);
extern handle get_current_environment(handle context) CXX(_ZN4node21GetCurrentEnvironmentEN2v85LocalINS0_7ContextEEE);
extern uint64_t get_now(handle environment) CXX(_ZN4node11Environment12GetNowUint64Ev); // ms since timer_base
extern void get_internal_binding(const void *) CXX(_ZN4node7binding18GetInternalBindingERKN2v820FunctionCallbackInfoINS1_5ValueEEE);
extern handle new_function(handle context, void (*)(const void *), handle data, int length, int constructor, int effect)
    CXX(_ZN2v88Function3NewENS_5LocalINS_7ContextEEEPFvRKNS_20FunctionCallbackInfoINS_5ValueEEEENS1_IS5_EEiNS_19ConstructorBehaviorENS_14SideEffectTypeE);

extern uint64_t uv_hrtime(void);
extern uint64_t uv_now(const void *loop); // ms
extern void uv_update_time(void *loop);
extern int uv_gettimeofday(struct moment *);
extern int napi_get_uv_event_loop(handle env, void **loop);
extern int napi_create_function(handle env, const char *name, size_t length, handle (*)(handle, handle), void *data, handle *out);
extern int napi_create_double(handle env, double, handle *out);
extern int napi_set_named_property(handle env, handle object, const char *name, handle value);
extern size_t malloc_usable_size(void *);

static uint64_t *time_origin, *timer_base; // in the Environment
static double *time_origin_timestamp;
static void *loop;

// find returns the one word of an object that is value, or NULL.
static uint64_t *find(uint64_t *object, uint64_t value) {
	uint64_t *found = NULL;
	for (size_t i = 0; i < malloc_usable_size(object) / sizeof *object; i++) {
		if (object[i] == value && found)
			return NULL;
		if (object[i] == value)
			found = &object[i];
	}
	return found;
}

// begin sets Node's start to now and returns that: ns of the monotonic clock.
static handle begin(handle env, handle info) {
	struct moment wall;
	handle out = NULL;
	(void)info;
	uv_gettimeofday(&wall);
	process_start_timestamp = *time_origin_timestamp = (double)wall.sec * 1e6 + wall.usec;
	node_start_time = process_start = *time_origin = uv_hrtime();
	uv_update_time(loop); // its clock may be a coarser one, and Node aborts where it is before timer_base
	*timer_base = uv_now(loop);
	napi_create_double(env, (double)process_start, &out);
	return out;
}

handle napi_register_module_v1(handle env, handle exports) {
	union { double d; uint64_t u; } timestamp = {.d = process_start_timestamp};
	handle context = get_current_context(get_current());
	handle environment = get_current_environment(context);
	handle function;
	napi_get_uv_event_loop(env, &loop);
	uint64_t now = get_now(environment);
	time_origin = find(environment, process_start);
	time_origin_timestamp = (double *)find(environment, timestamp.u);
	timer_base = find(environment, uv_now(loop) - now);
	if (!time_origin || !time_origin_timestamp || !timer_base)
		return exports;
	napi_set_named_property(env, exports, "internalBinding", new_function(context, get_internal_binding, NULL, 0, 0, 0));
	napi_create_function(env, "begin", 5, begin, NULL, &function);
	napi_set_named_property(env, exports, "begin", function);
	return exports;
}
