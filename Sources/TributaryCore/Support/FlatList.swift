#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A growing list of plain values in memory of its own; every access is checked.
///
/// For the large tables of caches: `realloc` moves a large block page by page instead of copying it, so that two copies are never
/// held, and room that nothing was written to takes no memory. The first element begins at a line of the processor's cache, and
/// large blocks ask for large pages, since random accesses to a table of 64 MB miss the tables of small ones.
@safe public struct FlatList<Element: BitwiseCopyable>: ~Copyable {
    // Raw memory owned by this value alone; 0..<size is initialised, 0..<room fits.
    @usableFromInline var base: UnsafeMutablePointer<Element>
    @usableFromInline var size = 0
    @usableFromInline var room: Int
    private var block: UnsafeMutableRawPointer

    /// The number of elements.
    @inlinable public var count: Int { size }

    private static var line: Int { 64 }

    /// Makes an empty list with room for `capacity` elements.
    public init(capacity: Int = 0) {
        room = max(capacity, 4)
        unsafe block = unsafe Self.memory(nil, for: room)
        unsafe base = unsafe block.alignedUp(toMultipleOf: Self.line).assumingMemoryBound(to: Element.self)
    }

    /// Makes a list of `count` copies of `element`.
    public init(repeating element: Element, count: Int) {
        self.init(capacity: count)
        unsafe base.initialize(repeating: element, count: count)
        size = count
    }

    deinit { unsafe free(block) }

    // As everywhere in Swift, memory that the system refuses ends the process.
    private static func memory(_ old: UnsafeMutableRawPointer?, for count: Int) -> UnsafeMutableRawPointer {
        let bytes = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
        guard !bytes.overflow, let block = unsafe realloc(old, bytes.partialValue + line) else {
            preconditionFailure("no memory for \(count) elements")
        }
        unsafe adviseLargePages(block, bytes.partialValue)
        return unsafe block
    }

    /// The element at `index`.
    ///
    /// - Precondition: the index is below ``count``.
    @inlinable
    public subscript(index: Int) -> Element {
        @inline(__always) get {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: size))
            return unsafe base[index]
        }
        @inline(__always) set {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: size))
            unsafe base[index] = newValue
        }
        @inline(__always) _modify {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: size))
            yield unsafe &base[index]
        }
    }

    /// Adds an element at the end.
    @inlinable
    @inline(__always)
    public mutating func append(_ element: Element) {
        if size == room { grow() }
        unsafe (base + size).initialize(to: element)
        size &+= 1
    }

    /// Forgets all elements and keeps the memory.
    @inlinable public mutating func removeAll() { size = 0 }

    /// Cuts the list to its first `count` elements; does nothing if it is not longer.
    @inlinable public mutating func truncate(to count: Int) { size = min(size, max(count, 0)) }

    @usableFromInline
    @inline(never)
    mutating func grow() {
        let offset = unsafe UnsafeRawPointer(base) - UnsafeRawPointer(block)
        let used = size * MemoryLayout<Element>.stride
        room *= 2
        unsafe block = unsafe Self.memory(block, for: room)
        let start = unsafe block.alignedUp(toMultipleOf: Self.line)
        if unsafe start - block != offset { unsafe start.copyMemory(from: block + offset, byteCount: used) }
        unsafe base = unsafe start.assumingMemoryBound(to: Element.self)
    }
}

/// Asks for large pages for a block, if it is so large that what may be left over in the last one doesn't count.
@unsafe func adviseLargePages(_ block: UnsafeMutableRawPointer, _ bytes: Int) {
    #if canImport(Glibc)
        let page = 4096
        guard bytes >= 8 << 20 else { return }
        let start = unsafe block.alignedUp(toMultipleOf: page)
        // A refusal leaves ordinary pages.
        _ = unsafe madvise(start, (bytes - page) & ~(page - 1), MADV_HUGEPAGE)
    #endif
}
