internal import Synchronization
internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// What is wrong with a page of an LMDB file.
struct PageFault: Error {
    let page: UInt64
    let what: StaticString
}

/// Where a tree of an LMDB file begins.
struct TreeRoot: BitwiseCopyable {
    /// The root's page; all bits set for an empty tree.
    var page = UInt64.max
    var depth = 0
    var entries: UInt64 = 0
}

/// An LMDB file mapped once more, for reading only what was checked.
///
/// LMDB follows whatever numbers its pages hold, so that a flipped bit in one can end the process. Pages are therefore read
/// here, by code that looks at each number before it uses it; LMDB sees to transactions, and to writing. LMDB writes with
/// `write` to the same page cache, so both see the same bytes. A commit's pages don't change as long as a reader has it.
@safe final class PageFile: Sendable {
    private struct State {
        // Views go into old mappings, too, so all stay until the end; each is twice as large as the one before.
        var mappings: [Range<UInt>] = []
        /// How many bytes the file had when it was last asked.
        var size = 0
    }
    private let state = Guarded(State())
    private let descriptor: Int32
    private let known = Atomic<Int>(0)

    /// Reads from an open file, which must stay open as long as this lives.
    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit {
        state.withLock { state in
            for mapping in state.mappings {
                _ = unsafe munmap(UnsafeMutableRawPointer(bitPattern: mapping.lowerBound), mapping.count)
            }
        }
    }

    /// Where the file's bytes are, and how many there are, looking again if there were less than `wanted`.
    func bytes(covering wanted: Int) -> UnsafeRawBufferPointer? {
        let found = state.withLock { state -> (address: UInt, size: Int)? in
            if wanted > state.size {
                var status = stat()
                if unsafe fstat(descriptor, &status) == 0 { state.size = max(state.size, Int(status.st_size)) }
            }
            if state.size > state.mappings.last?.count ?? 0 {
                var length = 1 << 20
                while length < state.size { length *= 2 }
                let base = unsafe mmap(nil, length, PROT_READ, MAP_SHARED, descriptor, 0)
                guard let base = unsafe base, unsafe base != MAP_FAILED else { return nil }
                state.mappings.append(UInt(bitPattern: base)..<(UInt(bitPattern: base) + UInt(length)))
            }
            guard let last = state.mappings.last else { return nil }
            return (last.lowerBound, state.size)
        }
        guard let found else { return nil }
        return unsafe UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: found.address), count: found.size)
    }

    /// The pages of a commit, by the number of its transaction; nil if a later commit may be overwriting its meta page.
    ///
    /// - Parameters:
    ///   - transaction: the commit's number.
    ///   - hasNext: whether the next commit may be in the other meta page: for callers who see to it that none comes after it.
    func snapshot(transaction: UInt64, hasNext: Bool = false) throws(PageFault) -> PageSnapshot? {
        guard let start = unsafe bytes(covering: 1 << 13), start.count >= 1 << 10 else {
            throw PageFault(page: 0, what: "the file can't be mapped, or is cut short")
        }
        let first = unsafe MetaPage(start, at: 0)
        let size = first.pageSize
        guard size >= 512, size <= 65536, size.nonzeroBitCount == 1, start.count >= size * 2 else {
            throw PageFault(page: 0, what: "a bad meta page")
        }
        let own = transaction & 1 == 0 ? first : unsafe MetaPage(start, at: size)
        atomicMemoryFence(ordering: .acquiring)
        // The writer after the next uses this meta page again, and begins when the next commit is in the other one.
        let other = transaction & 1 == 0 ? unsafe MetaPage(start, at: size) : unsafe MetaPage(start, at: 0)
        guard own.transaction == transaction, other.transaction <= (hasNext ? transaction &+ 1 : transaction) else {
            return nil
        }
        guard own.isSound, own.lastPage >= 1, own.lastPage < UInt64(Int.max / size) - 1 else {
            throw PageFault(page: transaction & 1, what: "a bad meta page")
        }
        guard let all = unsafe bytes(covering: Int(own.lastPage + 1) * size) else {
            throw PageFault(page: 0, what: "the file can't be mapped")
        }
        return unsafe PageSnapshot(all, pageSize: size, lastPage: own.lastPage, free: own.free, main: own.main)
    }

    /// Whether the file has so many bytes.
    func holds(_ end: Int) -> Bool {
        if end <= known.load(ordering: .relaxed) { return true }
        let count = unsafe bytes(covering: end)?.count ?? 0
        known.store(count, ordering: .relaxed)
        return end <= count
    }
}

/// The fields of a meta page, as they are (layout: ``LogFileCheck``).
private struct MetaPage {
    let isSound: Bool
    let pageSize: Int
    let lastPage: UInt64
    let transaction: UInt64
    let free: TreeRoot
    let main: TreeRoot

    @unsafe init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        func word(_ at: Int) -> UInt64 { unsafe bytes.loadUnaligned(fromByteOffset: offset + at, as: UInt64.self) }
        isSound = unsafe bytes.loadUnaligned(fromByteOffset: offset + 16, as: UInt32.self) == 0xbeef_c0de
        pageSize = Int(unsafe bytes.loadUnaligned(fromByteOffset: offset + 40, as: UInt32.self))
        lastPage = word(136)
        transaction = word(144)
        free = unsafe TreeRoot(bytes, at: offset + 40)
        main = unsafe TreeRoot(bytes, at: offset + 88)
    }
}

extension TreeRoot {
    /// How many bytes describe a tree.
    static let size = 48

    /// Reads the description of a tree: page size 4, flags 2, depth 2, pages 3 times 8, entries 8, root 8.
    @unsafe init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        page = unsafe bytes.loadUnaligned(fromByteOffset: offset + 40, as: UInt64.self)
        depth = Int(unsafe bytes.loadUnaligned(fromByteOffset: offset + 6, as: UInt16.self))
        entries = unsafe bytes.loadUnaligned(fromByteOffset: offset + 32, as: UInt64.self)
    }
}

/// The pages of one commit; good as long as a transaction keeps the commit and its environment is open.
@safe struct PageSnapshot: BitwiseCopyable {
    private let base: UnsafeRawPointer
    /// How many bytes may be read.
    private let limit: Int
    let pageSize: Int
    let lastPage: UInt64
    /// The tree of free pages.
    let free: TreeRoot
    /// The tree that holds the named ones.
    let main: TreeRoot

    @unsafe init?(_ bytes: UnsafeRawBufferPointer, pageSize: Int, lastPage: UInt64, free: TreeRoot, main: TreeRoot) {
        guard let base = bytes.baseAddress else { return nil }
        unsafe self.base = base
        limit = bytes.count
        self.pageSize = pageSize
        self.lastPage = lastPage
        self.free = free
        self.main = main
    }

    /// Where bytes of this snapshot lie in the file.
    func offset(of bytes: FileBytes) -> Int? {
        bytes.isThere ? Int(bytes.address - UInt(bitPattern: unsafe base)) : nil
    }

    /// Where so many bytes of a page and those behind it are, if they are all there.
    @unsafe func pages(_ number: UInt64, byteCount: Int) throws(PageFault) -> UnsafeRawPointer {
        guard number >= 2, number <= lastPage, byteCount >= 0, byteCount <= limit else {
            throw PageFault(page: number, what: "a page beyond the file's last")
        }
        let start = Int(number) * pageSize  // the last page is bounded when the snapshot is made
        let count = (byteCount + pageSize - 1) / pageSize
        guard start <= limit - byteCount, UInt64(count) <= lastPage + 1 - number else {
            throw PageFault(page: number, what: "a page beyond the file's end")
        }
        return unsafe base + start
    }
}
