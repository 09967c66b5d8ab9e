/// A piece of memory from a ``BlobPool``: a handle without ownership.
@safe public struct Blob: BitwiseCopyable {
    @usableFromInline var start: UnsafeMutableRawPointer?
    /// How many bytes fit; 0 for no memory.
    public private(set) var capacity: Int32

    /// No memory.
    @inlinable public static var none: Blob { unsafe Blob(start: nil, capacity: 0) }

    @usableFromInline
    init(start: UnsafeMutableRawPointer?, capacity: Int32) {
        unsafe self.start = unsafe start
        self.capacity = capacity
    }
}

/// Pieces of memory of many sizes, taken and given back without malloc once warm.
///
/// Sizes up to 64 KiB come from size classes (four per power of two) carved out of 256 KiB chunks; larger ones from malloc.
/// Everything goes back to the system when the pool ends, so a handle must not outlive its pool.
@safe public final class BlobPool {
    private static let chunkSize = 256 << 10
    private static let largestClass = 64 << 10
    // Raw memory owned by the pool; handles are made here only, so their capacity is true.
    private var chunks: [UnsafeMutableRawPointer] = unsafe []
    private var free: [UnsafeMutableRawPointer?]
    private var next: UnsafeMutableRawPointer?
    private var left = 0
    private var large: Set<UnsafeMutableRawPointer> = unsafe []

    /// Makes an empty pool.
    public init() {
        unsafe free = unsafe Array(repeating: nil, count: 64)
    }

    deinit {
        unsafe chunks.forEach { unsafe $0.deallocate() }
        unsafe large.forEach { unsafe $0.deallocate() }
    }

    private static func sizeClass(_ size: Int) -> (index: Int, size: Int) {
        if size <= 32 { return (0, 32) }
        let power = Int.bitWidth - 1 - (size - 1).leadingZeroBitCount
        let step = 1 << (power - 2)
        let quarter = (size - 1 - (1 << power)) / step
        return (1 + (power - 5) * 4 + quarter, (1 << power) + (quarter + 1) * step)
    }

    /// Memory for at least `size` bytes.
    public func allocate(_ size: Int) -> Blob {
        guard size <= BlobPool.largestClass else {
            let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
            unsafe large.insert(block)
            return unsafe Blob(start: block, capacity: Int32(size))
        }
        let (index, bytes) = BlobPool.sizeClass(size)
        if let block = unsafe free[index] {
            unsafe free[index] = unsafe block.load(as: UnsafeMutableRawPointer?.self)
            return unsafe Blob(start: block, capacity: Int32(bytes))
        }
        if left < bytes {
            let chunk = UnsafeMutableRawPointer.allocate(byteCount: BlobPool.chunkSize, alignment: 16)
            unsafe chunks.append(chunk)
            unsafe next = unsafe chunk
            left = BlobPool.chunkSize
        }
        let block = unsafe next
        unsafe next = unsafe next.map { unsafe $0 + bytes }
        left -= bytes
        return unsafe Blob(start: block, capacity: Int32(bytes))
    }

    /// Gives memory back; the handle must not be used afterwards.
    public func deallocate(_ blob: Blob) {
        guard let start = unsafe blob.start else { return }
        if Int(blob.capacity) > BlobPool.largestClass {
            unsafe large.remove(start)
            unsafe start.deallocate()
            return
        }
        let index = BlobPool.sizeClass(Int(blob.capacity)).index
        unsafe start.storeBytes(of: free[index], as: UnsafeMutableRawPointer?.self)
        unsafe free[index] = unsafe start
    }

    /// Copies bytes into a blob.
    ///
    /// - Precondition: they fit behind `offset`.
    @inlinable
    public func write(_ bytes: RawSpan, to blob: Blob, at offset: Int) {
        let size = bytes.byteCount
        guard size > 0 else { return }
        precondition(offset >= 0 && offset + size <= Int(blob.capacity))
        guard let start = unsafe blob.start else { return }
        unsafe bytes.withUnsafeBytes { source in
            if let from = source.baseAddress { unsafe (start + offset).copyMemory(from: from, byteCount: size) }
        }
    }

    /// The bytes of a blob from `offset` on; the view ends when the blob is written or given back, which is for the caller to keep.
    ///
    /// - Precondition: they lie inside.
    @inlinable
    @_lifetime(immortal)
    public func bytes(of blob: Blob, at offset: Int, count: Int) -> RawSpan {
        precondition(offset >= 0 && count >= 0 && offset + count <= Int(blob.capacity))
        guard count > 0, let start = unsafe blob.start else { return RawSpan.empty }
        return unsafe _overrideLifetime(RawSpan(_unsafeStart: start + offset, byteCount: count), copying: ())
    }
}
