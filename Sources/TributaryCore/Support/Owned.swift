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
        @inline(__always) _read { yield unsafe pointer.pointee }
        @inline(__always) nonmutating _modify { yield unsafe &pointer.pointee }
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
        unsafe base = UnsafeMutablePointer<Element>.allocate(capacity: max(count, 1))
        unsafe base.initialize(repeating: element, count: count)
        size = count
    }

    @inlinable
    deinit { unsafe base.deallocate() }

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

    /// Makes room for `count` elements; new ones are copies of `element`. Never shrinks.
    @inline(never)
    public mutating func grow(to count: Int, filling element: Element) {
        guard count > self.count else { return }
        let next = UnsafeMutablePointer<Element>.allocate(capacity: count)
        unsafe next.initialize(from: base, count: self.count)
        unsafe (next + self.count).initialize(repeating: element, count: count - self.count)
        unsafe base.deallocate()
        unsafe base = next
        size = count
    }
}
