#pragma once
/// \file
/// Python's objects as the worker uses them: by functions of its stable interface, which the interpreter that loads us
/// has. Declared here, so that nothing of Python is needed to build.

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

extern "C" {
using PyObject = struct _object;
PyObject* PyObject_CallFunctionObjArgs(PyObject* callable, ...);
PyObject* PyObject_Str(PyObject* object);
PyObject* PyLong_FromUnsignedLongLong(unsigned long long number);
unsigned long long PyLong_AsUnsignedLongLong(PyObject* number);
PyObject* PyTuple_GetItem(PyObject* tuple, std::intptr_t index);
PyObject* PyMemoryView_FromMemory(char* bytes, std::intptr_t count, int flags);
PyObject* PyUnicode_FromString(char const* text);
char const* PyUnicode_AsUTF8AndSize(PyObject* text, std::intptr_t* bytes);
char const* PyExceptionClass_Name(PyObject* exception);
PyObject* PyErr_Occurred();
void PyErr_Fetch(PyObject** type, PyObject** value, PyObject** traceback);
void PyErr_Clear();
void Py_IncRef(PyObject* object);
void Py_DecRef(PyObject* object);
}

namespace zeroipc::bench {

/// The exception that Python raised, with its message, as one of ours.
[[noreturn]] inline void throw_python_error() {
    PyObject* type = nullptr;
    PyObject* value = nullptr;
    PyObject* traceback = nullptr;
    PyErr_Fetch(&type, &value, &traceback);
    std::string text = type != nullptr ? PyExceptionClass_Name(type) : "Python failed without an exception";
    auto* const message = value != nullptr ? PyObject_Str(value) : nullptr;
    if (auto const* const words = message != nullptr ? PyUnicode_AsUTF8AndSize(message, nullptr) : nullptr)
        text += std::string(": ") + words;
    PyErr_Clear();
    throw std::runtime_error("in Python: " + text);
}

/// A reference that is owned. Constructed from what a call returned: null is an exception.
class Object {
public:
    explicit Object(PyObject* owned) : object_(owned) {
        if (owned == nullptr) [[unlikely]]
            throw_python_error();
    }
    static Object borrowed(PyObject* object) {
        if (object != nullptr) Py_IncRef(object);
        return Object(object);
    }
    Object(Object&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Object(Object const&) = delete;
    Object& operator=(Object const&) = delete;
    Object& operator=(Object&&) = delete;
    ~Object() {
        if (object_ != nullptr) Py_DecRef(object_);
    }
    [[nodiscard]] PyObject* get() const { return object_; }

    static Object of(std::uint64_t number) { return Object(PyLong_FromUnsignedLongLong(number)); }
    static Object of(char const* text) { return Object(PyUnicode_FromString(text)); }
    [[nodiscard]] std::uint64_t number() const {
        auto const value = PyLong_AsUnsignedLongLong(object_);
        if (value == ~0ULL && PyErr_Occurred() != nullptr) throw_python_error();
        return value;
    }
    [[nodiscard]] Object at(std::intptr_t index) const { return borrowed(PyTuple_GetItem(object_, index)); }

    template <class... Arguments>
    [[nodiscard]] Object operator()(Arguments const&... arguments) const {
        return Object(
            PyObject_CallFunctionObjArgs(object_, arguments.get()..., static_cast<PyObject*>(nullptr)));
    }

private:
    PyObject* object_;
};

}  // namespace zeroipc::bench
