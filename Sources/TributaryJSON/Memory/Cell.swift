/// One value behind a pointer: a class that keeps it in a `let` changes it without exclusivity checks.
@safe struct Cell<Value>: ~Copyable {
    // Owned by this value alone, initialized as long as it lives.
    fileprivate let pointer: UnsafeMutablePointer<Value>

    init(_ value: consuming Value) {
        unsafe pointer = UnsafeMutablePointer<Value>.allocate(capacity: 1)
        unsafe pointer.initialize(to: value)
    }

    deinit {
        unsafe pointer.deinitialize(count: 1)
        unsafe pointer.deallocate()
    }

    var value: Value {
        @inline(__always) get { unsafe pointer.pointee }
        @inline(__always) nonmutating _modify { yield unsafe &pointer.pointee }
    }
}

/// A type of coding keys as plain words, so that a table can hold it.
@safe struct KeyType: BitwiseCopyable, Equatable {
    // Metadata and conformance; both live as long as the process.
    private let words: (UInt, UInt)

    @inline(__always)
    init(_ type: any CodingKey.Type) {
        // The cast keeps the compiler from opening the existential.
        words = unsafe unsafeBitCast(type as any CodingKey.Type, to: (UInt, UInt).self)
    }

    @inline(__always)
    static func == (one: KeyType, other: KeyType) -> Bool { one.words.0 == other.words.0 }

    @inline(__always)
    static func != (one: KeyType, other: KeyType) -> Bool { one.words.0 != other.words.0 }

    /// From 0 to 63.
    var hash: Int {
        @inline(__always) get { Int(truncatingIfNeeded: (words.0 &* 0x9E37_79B9_7F4A_7C15) &>> 58) }
    }

    var type: any CodingKey.Type { unsafe unsafeBitCast(words, to: (any CodingKey.Type).self) }
}

/// Gives `value` the name `Target`, which the caller has found to be its own type.
///
/// Safe because the types are compared again; a dynamic cast would cost ten times as much.
@inline(__always)
func identity<Value, Target>(_ value: Value, as target: Target.Type) -> Target {
    precondition(Value.self == Target.self)
    return unsafe withUnsafePointer(to: value) {
        unsafe UnsafeRawPointer($0).assumingMemoryBound(to: Target.self).pointee
    }
}
