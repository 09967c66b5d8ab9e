/// A piece of memory from a ``BlobPool``: a number of 4 bytes, without ownership.
///
/// Any number is safe to give to a pool, which looks up where it leads; what isn't the pool's own ends the process.
public struct Blob: BitwiseCopyable, Sendable, Equatable {
    // The chunk in the upper 17 bits, the place in it in units of 8 bytes in the lower 15.
    /// The number; 0 for no memory.
    public let word: UInt32

    /// The blob of a number that ``word`` gave.
    @inlinable
    public init(word: UInt32) { self.word = word }

    /// No memory.
    @inlinable public static var none: Blob { Blob(word: 0) }

    @inlinable var chunk: Int { Int(word &>> 15) }
    @inlinable var place: Int { Int(word & 0x7fff) &* 8 }
}

/// Pieces of memory of many sizes, taken and given back without malloc once warm.
///
/// Sizes up to 64 KiB come from size classes (four per power of two), each carved out of 256 KiB chunks of its own; larger ones
/// are chunks themselves. Everything goes back to the system when the pool ends; holds at most 32 GiB.
@safe public final class BlobPool {
    private static let chunkSize = 256 << 10
    private static let largestClass = 64 << 10
    private static let classCount = 48
    private static let maximumChunks = 1 << 17

    @safe @usableFromInline
    struct Chunk: BitwiseCopyable {
        @usableFromInline var start: UnsafeMutableRawPointer?
        @usableFromInline var size: Int32
        // How many bytes each blob of it has.
        @usableFromInline var blobSize: Int32

        @usableFromInline
        init(start: UnsafeMutableRawPointer?, size: Int, blobSize: Int) {
            unsafe self.start = unsafe start
            self.size = Int32(size)
            self.blobSize = Int32(blobSize)
        }

        /// Where a part of a blob begins, if there is that part.
        @inlinable
        @inline(__always)
        func address(_ blob: Blob, _ offset: Int, _ count: Int) -> UnsafeMutableRawPointer? {
            precondition(
                offset >= 0 && count >= 0 && offset <= Int(blobSize) &- count
                    && blob.place &+ offset <= Int(size) &- count)
            guard let start = unsafe start else { return nil }
            return unsafe start + blob.place + offset
        }
    }

    private struct SizeClass: BitwiseCopyable {
        var free = Blob.none
        // What is not carved up yet of the newest chunk.
        var chunk = 0
        var left = 0
    }

    // Raw memory owned by the pool. A blob of this pool lies inside its chunk: only `allocate` makes them.
    @usableFromInline let chunks = Owned(FlatList<Chunk>(capacity: 16))
    private let classes = Owned(FlatArray(repeating: SizeClass(), count: BlobPool.classCount))
    // Numbers of large chunks that were given back.
    private let freeChunks = Owned(FlatList<Int32>())
    // A pool that has grown takes its chunks from regions, which can have large pages.
    private static let regionSize = 16 << 20
    private static let smallPool = 32
    private let regions = Owned(Regions())

    @safe private struct Regions: ~Copyable {
        // What is to be given back: regions, and single chunks of size classes.
        var starts: [UnsafeMutableRawPointer] = unsafe []
        var next: UnsafeMutableRawPointer?
        var left = 0
    }

    /// Makes an empty pool.
    public init() {
        // Chunk 0 is that of no memory.
        chunks.value.append(unsafe Chunk(start: nil, size: 0, blobSize: 0))
    }

    deinit {
        for number in 0..<chunks.value.count where chunks.value[number].blobSize > BlobPool.largestClass {
            unsafe chunks.value[number].start?.deallocate()
        }
        unsafe regions.value.starts.forEach { unsafe $0.deallocate() }
    }

    private static func sizeClass(_ size: Int) -> (index: Int, size: Int) {
        if size <= 32 { return size <= 16 ? (0, 16) : (1, 32) }
        let power = Int.bitWidth - 1 - (size - 1).leadingZeroBitCount
        let step = 1 << (power - 2)
        let quarter = (size - 1 - (1 << power)) / step
        return (2 + (power - 5) * 4 + quarter, (1 << power) + (quarter + 1) * step)
    }

    /// Memory for at least `size` bytes.
    public func allocate(_ size: Int) -> Blob {
        guard size <= BlobPool.largestClass else {
            let start = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
            return Blob(word: UInt32(add(unsafe Chunk(start: start, size: size, blobSize: size))) &<< 15)
        }
        let (index, bytes) = BlobPool.sizeClass(size)
        let free = classes.value[index].free
        if free != .none {
            let next = unsafe chunks.value[free.chunk].address(free, 0, 4)?.load(as: UInt32.self)
            classes.value[index].free = Blob(word: next ?? 0)
            return free
        }
        if classes.value[index].left == 0 {
            classes.value[index].chunk = add(
                unsafe Chunk(start: classMemory(), size: BlobPool.chunkSize, blobSize: bytes))
            classes.value[index].left = BlobPool.chunkSize / bytes
        }
        let place = (BlobPool.chunkSize / bytes - classes.value[index].left) * bytes
        classes.value[index].left -= 1
        return Blob(word: UInt32(classes.value[index].chunk) &<< 15 | UInt32(place / 8))
    }

    private func classMemory() -> UnsafeMutableRawPointer {
        if unsafe regions.value.starts.count < BlobPool.smallPool {
            let single = UnsafeMutableRawPointer.allocate(byteCount: BlobPool.chunkSize, alignment: 16)
            unsafe regions.value.starts.append(single)
            return unsafe single
        }
        if let next = unsafe regions.value.next, regions.value.left >= BlobPool.chunkSize {
            regions.value.left -= BlobPool.chunkSize
            unsafe regions.value.next = unsafe next + BlobPool.chunkSize
            return unsafe next
        }
        let region = UnsafeMutableRawPointer.allocate(byteCount: BlobPool.regionSize, alignment: 16)
        unsafe adviseLargePages(region, BlobPool.regionSize)
        unsafe regions.value.starts.append(region)
        unsafe regions.value.next = unsafe region + BlobPool.chunkSize
        regions.value.left = BlobPool.regionSize - BlobPool.chunkSize
        return unsafe region
    }

    private func add(_ chunk: Chunk) -> Int {
        if freeChunks.value.count > 0 {
            let number = Int(freeChunks.value[freeChunks.value.count - 1])
            freeChunks.value.truncate(to: freeChunks.value.count - 1)
            chunks.value[number] = chunk
            return number
        }
        precondition(chunks.value.count < BlobPool.maximumChunks, "a pool of more than 32 GiB")
        chunks.value.append(chunk)
        return chunks.value.count - 1
    }

    /// Gives memory back; the blob must not be used afterwards.
    public func deallocate(_ blob: Blob) {
        guard blob != .none else { return }
        let chunk = chunks.value[blob.chunk]
        if chunk.blobSize > BlobPool.largestClass {
            unsafe chunk.start?.deallocate()
            chunks.value[blob.chunk] = unsafe Chunk(start: nil, size: 0, blobSize: 0)
            freeChunks.value.append(Int32(blob.chunk))
            return
        }
        let index = BlobPool.sizeClass(Int(chunk.blobSize)).index
        unsafe chunk.address(blob, 0, 4)?.storeBytes(of: classes.value[index].free.word, as: UInt32.self)
        classes.value[index].free = blob
    }

    /// How many bytes fit into a blob.
    @inlinable
    public func capacity(of blob: Blob) -> Int { Int(chunks.value[blob.chunk].blobSize) }

    /// Copies bytes into a blob; they may be a view of the same blob.
    ///
    /// - Precondition: they fit behind `offset`.
    @inlinable
    public func write(_ bytes: RawSpan, to blob: Blob, at offset: Int) {
        let size = bytes.byteCount
        guard size > 0, let target = unsafe chunks.value[blob.chunk].address(blob, offset, size) else { return }
        unsafe bytes.withUnsafeBytes { source in
            if let from = source.baseAddress { unsafe target.copyMemory(from: from, byteCount: size) }
        }
    }

    /// The bytes of a blob from `offset` on; the view ends when the blob is written or given back, which is for the caller to keep.
    ///
    /// - Precondition: they lie inside.
    @inlinable
    @inline(__always)
    @_lifetime(immortal)
    public func bytes(of blob: Blob, at offset: Int, count: Int) -> RawSpan {
        guard let start = unsafe chunks.value[blob.chunk].address(blob, offset, count) else { return RawSpan.empty }
        return unsafe _overrideLifetime(RawSpan(_unsafeStart: start, byteCount: count), copying: ())
    }
}
