/// One value in memory of its own, reached through a pointer that never changes.
///
/// A field of a class written across a call costs a dynamic exclusivity check, about 10 ns. A value behind a `let` pointer
/// costs none: classes of the hot path keep their mutable state in one of these. The owner is used by one thread at a time
/// and never re-enters an access, which is what the check would have proven.
@safe public struct Owned<Value: ~Copyable>: ~Copyable {
    @usableFromInline let pointer: UnsafeMutablePointer<Value>

    /// Moves `value` into memory of its own.
    @inlinable
    public init(_ value: consuming Value) {
        unsafe pointer = UnsafeMutablePointer<Value>.allocate(capacity: 1)
        unsafe pointer.initialize(to: value)
    }

    @inlinable
    deinit {
        unsafe pointer.deinitialize(count: 1)
        unsafe pointer.deallocate()
    }

    /// The value.
    @inlinable
    public var value: Value {
        @inline(__always) unsafeAddress { unsafe UnsafePointer(pointer) }
        @inline(__always) nonmutating unsafeMutableAddress { unsafe pointer }
    }
}

extension Owned where Value: BitwiseCopyable {
    /// The value as a span of one, for types that refer to it instead of copying it.
    ///
    /// The view ends with the owner and shows what is written later: a contract, as that of ``ByteBuffer``.
    @inlinable public var span: Span<Value> {
        @inline(__always) @_lifetime(immortal)
        get {
            let span = unsafe Span(_unsafeStart: UnsafePointer(pointer), count: 1)
            return unsafe _overrideLifetime(span, copying: ())
        }
    }
}

/// A plain value that lies somewhere else, by its address: for types that are passed on and would copy it each time.
@safe public struct Borrowed<Value: BitwiseCopyable>: ~Escapable {
    /// Where the value is, for accessors that give it on without a copy.
    @unsafe public let pointer: UnsafePointer<Value>
    @usableFromInline let count: Int

    /// Refers to the first value of a span, for example of a `CollectionOfOne`, and to the second, if there is one.
    ///
    /// - Precondition: the span is not empty.
    @inlinable
    @inline(__always)
    @_lifetime(copy span)
    public init(_ span: Span<Value>) {
        // What a span refers to has an address, and stays there for the span's lifetime, which is copied.
        guard let start = unsafe span.withUnsafeBufferPointer({ $0.baseAddress }) else {
            preconditionFailure("a span of one")
        }
        unsafe pointer = start
        count = span.count
    }

    /// The same without the second value.
    @inlinable
    @inline(__always)
    @_lifetime(copy other)
    public init(firstOf other: borrowing Borrowed) {
        unsafe pointer = unsafe other.pointer
        count = 1
    }

    /// The value behind the first; nil if there is none.
    @inlinable public var second: Value? { count > 1 ? unsafe pointer[1] : nil }

    /// The value.
    @inlinable public var value: Value {
        @inline(__always) unsafeAddress { unsafe pointer }
    }
}

/// A fixed number of plain values in memory of its own; every access is checked.
@safe public struct FlatArray<Element: BitwiseCopyable>: ~Copyable {
    @usableFromInline var base: UnsafeMutablePointer<Element>
    @usableFromInline var size: Int

    /// The number of elements.
    @inlinable public var count: Int { size }

    /// Makes `count` copies of `element`.
    @inlinable
    public init(repeating element: Element, count: Int) {
        unsafe base = FlatArray.allocate(count)
        unsafe base.initialize(repeating: element, count: count)
        size = count
    }

    @inlinable
    deinit { unsafe base.deallocate() }

    /// Elements whose size is a power of two lie within a line of the processor's cache.
    @usableFromInline
    static func allocate(_ count: Int) -> UnsafeMutablePointer<Element> {
        let stride = MemoryLayout<Element>.stride
        let alignment = max(MemoryLayout<Element>.alignment, min(stride & -stride, 64))
        return unsafe UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * stride, alignment: alignment)
            .bindMemory(to: Element.self, capacity: max(count, 1))
    }

    /// The element at `index`.
    ///
    /// - Precondition: the index is below ``count``.
    @inlinable
    public subscript(index: Int) -> Element {
        @inline(__always) get {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
            return unsafe base[index]
        }
        @inline(__always) set {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
            unsafe base[index] = newValue
        }
        @inline(__always) _modify {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
            yield unsafe &base[index]
        }
    }

    /// Makes room for `count` elements; new ones are copies of `element`.
    ///
    /// Never shrinks.
    @inline(never)
    public mutating func grow(to count: Int, filling element: Element) {
        guard count > self.count else { return }
        let next = unsafe FlatArray.allocate(count)
        unsafe next.initialize(from: base, count: self.count)
        unsafe (next + self.count).initialize(repeating: element, count: count - self.count)
        unsafe base.deallocate()
        unsafe base = next
        size = count
    }
}

/// A ``ByteWriter`` that a class keeps and hands views of, without exclusivity checks.
///
/// The views end at the next write, as a writer's do. The compiler can't check that through a class's field without a
/// reference count per view, so it is a contract: whoever holds a view must not write, and must keep the buffer.
@safe public final class ByteBuffer {
    @usableFromInline let pointer: UnsafeMutablePointer<ByteWriter>

    /// Makes an empty buffer.
    @inlinable
    public init(capacity: Int = 256) {
        unsafe pointer = UnsafeMutablePointer<ByteWriter>.allocate(capacity: 1)
        unsafe pointer.initialize(to: ByteWriter(capacity: capacity))
    }

    @inlinable
    deinit {
        unsafe pointer.deinitialize(count: 1)
        unsafe pointer.deallocate()
    }

    /// The writer.
    @inlinable public var writer: ByteWriter {
        @inline(__always) unsafeAddress { unsafe UnsafePointer(pointer) }
        @inline(__always) unsafeMutableAddress { unsafe pointer }
    }

    /// The number of bytes written.
    @inlinable public var count: Int { unsafe pointer.pointee.length }

    /// The bytes written so far.
    @inlinable public var bytes: RawSpan {
        @_lifetime(immortal)
        get { bytes(from: 0) }
    }

    /// The bytes from `start` up to the end; empty if `start` is beyond it.
    @inlinable
    @_lifetime(immortal)
    public func bytes(from start: Int) -> RawSpan {
        let end = unsafe pointer.pointee.length
        return bytes(in: min(max(start, 0), end)..<end)
    }

    /// The bytes in `range`, clamped to what was written.
    @inlinable
    @_lifetime(immortal)
    public func bytes(in range: Range<Int>) -> RawSpan {
        let from = unsafe min(max(range.lowerBound, 0), pointer.pointee.length)
        let to = unsafe min(max(range.upperBound, from), pointer.pointee.length)
        let span = unsafe RawSpan(_unsafeStart: pointer.pointee.base + from, byteCount: to - from)
        return unsafe _overrideLifetime(span, copying: ())
    }
}
