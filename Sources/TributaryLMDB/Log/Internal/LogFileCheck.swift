internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Looks at an LMDB file before LMDB maps it: a short file or a bad meta page would otherwise be a crash later.
///
/// Layout of LMDB 0.9 on 64-bit systems: pages of a size that the meta pages tell; page header 16 bytes (number 8, -, flags at
/// 10); a meta page goes on with magic 4, version 4, address 8, map size 8, two databases of 48 (page size 4, flags 2, depth
/// 2, branch, leaf, overflow pages, entries 8 each, root 8), last page 8, transaction 8. Integers in the machine's order.
struct LogFileCheck {
    private struct Meta {
        var pageSize: Int
        var roots: [UInt64]
        var lastPage: UInt64
        var transaction: UInt64
    }

    private static let none = UInt64.max
    private let path: String
    private let descriptor: Int32

    /// Checks `path`; a file that isn't there or has no byte yet is fine.
    static func run(_ path: String) throws(LogError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            if errno == ENOENT { return }
            throw systemError("open", path)
        }
        defer { close(descriptor) }
        let check = LogFileCheck(path: path, descriptor: descriptor)
        // Another process may be writing the meta page that is read here: what is wrong must be wrong three times.
        var tries = 3
        while true {
            do throws(LogError) { return try check.once() } catch {
                tries -= 1
                if tries == 0 { throw error }
                usleep(2000)
            }
        }
    }

    private func corrupt(_ what: String) -> LogError { LogError(.corrupt, "\(path): \(what)") }

    private func once() throws(LogError) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw systemError("fstat", path) }
        let size = UInt64(max(status.st_size, 0))
        if size == 0 { return }
        let first = try meta(at: 0, page: 0)
        let second = try meta(at: UInt64(first.pageSize), page: 1)
        guard first.pageSize == second.pageSize else { throw corrupt("the meta pages disagree on the page size") }
        let newest = first.transaction > second.transaction ? first : second
        let older = max(first.transaction, second.transaction) - min(first.transaction, second.transaction)
        // Commits use the two in turn; both are 0 before the first.
        guard older == 1 || newest.transaction == 0 else {
            throw corrupt("a bad meta page: the two are not of commits that follow each other")
        }
        let pageSize = UInt64(newest.pageSize)
        let (end, overflow) = (newest.lastPage &+ 1).multipliedReportingOverflow(by: pageSize)
        guard !overflow, newest.lastPage >= 1 else { throw corrupt("a bad meta page") }
        for meta in [first, second] {
            // A commit that failed in its last step leaves its trees in the older meta page, beside the older last page.
            let last = meta.transaction == newest.transaction ? meta.lastPage : max(meta.lastPage, size / pageSize)
            guard meta.roots.allSatisfy({ $0 == Self.none || $0 <= last }) else {
                throw corrupt("a bad meta page: a root beyond the last page")
            }
        }
        for root in newest.roots where root != Self.none {
            guard (root + 1) * pageSize <= size else { throw corrupt("the file is cut short") }
            let header = try read(at: root * pageSize, count: 16)
            guard word(header, 0) == root, half(header, 10) & 3 != 0 else {
                throw corrupt("a bad meta page: a root that is none")
            }
        }
        for meta in [first, second] {
            // What a failed commit left leads to its own list; where its pages are not new, the page looks like one whose number was
            // changed, and is refused.
            let isLeft =
                meta.transaction != newest.transaction && meta.roots.contains { $0 != Self.none && $0 > meta.lastPage }
            if !isLeft { try checkFreed(meta, size: size) }
        }
        if end > size {
            // Pages that were taken and given back in one transaction are never written. If free ones are all that is
            // missing, the file is whole.
            let missing = (size / pageSize)...newest.lastPage
            let free = try FreePages(
                descriptor: descriptor, pageSize: newest.pageSize, size: size, root: newest.roots[0])
            guard missing.count <= 1 << 20, missing.allSatisfy({ free.contains($0) }) else {
                throw corrupt("the file is cut short: \(size) bytes of \(end)")
            }
        }
    }

    /// What a commit freed has its number, and each but the first frees the page of names that it replaces: a meta page
    /// whose list of free pages ends with another number is not that of its commit.
    private func checkFreed(_ meta: Meta, size: UInt64) throws(LogError) {
        guard meta.transaction > 1 else { return }
        var page = meta.roots[0]
        for _ in 0..<TreeWalk.deepest {
            guard page <= meta.lastPage, (page + 1) * UInt64(meta.pageSize) <= size else { break }
            let bytes = try read(at: page * UInt64(meta.pageSize), count: meta.pageSize)
            let count = (Int(half(bytes, 12)) - 16) / 2
            guard count > 0, 16 + count * 2 <= meta.pageSize else { break }
            let node = Int(half(bytes, 16 + (count - 1) * 2))
            if half(bytes, 10) & 1 != 0 {
                page = UInt64(quarter(bytes, node)) | UInt64(half(bytes, node + 4)) << 32
                continue
            }
            guard half(bytes, 10) & 2 != 0, half(bytes, node + 6) == 8 else { break }
            guard word(bytes, node + 8) == meta.transaction else {
                throw corrupt("a bad meta page: another commit's number than what it leads to")
            }
            return
        }
        throw corrupt("the file's list of free pages can't be read")
    }

    private func meta(at offset: UInt64, page: UInt64) throws(LogError) -> Meta {
        let bytes = try read(at: offset, count: 152)
        guard word(bytes, 0) == page, half(bytes, 10) & 8 != 0, quarter(bytes, 16) == 0xbeef_c0de else {
            throw corrupt("a bad meta page, or not a log")
        }
        guard quarter(bytes, 20) == 1 else { throw LogError(.unknownFormat, "\(path): another version of LMDB") }
        let pageSize = Int(quarter(bytes, 40))
        guard pageSize >= 512, pageSize <= 65536, pageSize.nonzeroBitCount == 1 else {
            throw corrupt("a bad meta page")
        }
        // The list of free pages has numbers as keys, and nothing else is special about either tree.
        guard half(bytes, 44) & 0xff == 8, half(bytes, 92) == 0 else {
            throw corrupt("a bad meta page: the kinds of its trees")
        }
        let transaction = word(bytes, 144)
        guard transaction == 0 || transaction & 1 == page else { throw corrupt("a bad meta page: its transaction") }
        return Meta(
            pageSize: pageSize, roots: [word(bytes, 80), word(bytes, 128)], lastPage: word(bytes, 136),
            transaction: transaction)
    }

    private func read(at offset: UInt64, count: Int) throws(LogError) -> [UInt8] {
        guard let bytes = readExactly(descriptor, offset, count) else { throw corrupt("the file is cut short") }
        return bytes
    }
}

/// The bytes at `offset`, or nil if the file ends before they do.
func readExactly(_ descriptor: Int32, _ offset: UInt64, _ count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    guard offset <= UInt64(Int.max - count), unsafe pread(descriptor, &bytes, count, Int(offset)) == count else {
        return nil
    }
    return bytes
}

/// An integer of the machine's order, or 0 beyond the end.
private func integer<Value: FixedWidthInteger & BitwiseCopyable>(_ bytes: [UInt8], _ at: Int, _: Value.Type) -> Value {
    let value = unsafe bytes.span.bytes.integer(at: at, as: Value.self) ?? 0
    return Value(littleEndian: value.byteSwapped)
}

func word(_ bytes: [UInt8], _ at: Int) -> UInt64 { integer(bytes, at, UInt64.self) }
func quarter(_ bytes: [UInt8], _ at: Int) -> UInt32 { integer(bytes, at, UInt32.self) }
func half(_ bytes: [UInt8], _ at: Int) -> UInt16 { integer(bytes, at, UInt16.self) }

/// The pages that an LMDB file's list of free pages names, read without mapping the file.
struct FreePages {
    private var pages: Set<UInt64> = []

    /// Whether a page is free.
    func contains(_ page: UInt64) -> Bool { pages.contains(page) }

    init(descriptor: Int32, pageSize: Int, size: UInt64, root: UInt64) throws(LogError) {
        guard root != UInt64.max else { return }
        var waiting = [root]
        var seen: Set<UInt64> = []
        while let page = waiting.popLast() {
            guard seen.insert(page).inserted, page < size / UInt64(pageSize),
                let bytes = readExactly(descriptor, page * UInt64(pageSize), pageSize)
            else { throw Self.broken }
            let flags = half(bytes, 10)
            let entries = (Int(half(bytes, 12)) - 16) / 2
            guard entries >= 0, 16 + entries * 2 <= pageSize else { throw Self.broken }
            for entry in 0..<entries {
                // A node: two halves (low, high of the size, or of a child's number), flags, key size, key, value.
                let at = Int(half(bytes, 16 + entry * 2))
                guard at + 8 <= pageSize else { throw Self.broken }
                let low = UInt64(half(bytes, at)) | UInt64(half(bytes, at + 2)) << 16
                let nodeFlags = half(bytes, at + 4)
                let value = at + 8 + Int(half(bytes, at + 6))
                if flags & 1 != 0 {
                    waiting.append(low | UInt64(nodeFlags) << 32)
                } else if nodeFlags & 1 != 0 {
                    guard value + 8 <= pageSize, low <= size,
                        let list = readExactly(descriptor, word(bytes, value) &* UInt64(pageSize) &+ 16, Int(low))
                    else { throw Self.broken }
                    add(list, 0, Int(low))
                } else {
                    guard value + Int(low) <= pageSize else { throw Self.broken }
                    add(bytes, value, Int(low))
                }
            }
        }
    }

    private static var broken: LogError { LogError(.corrupt, "the file's list of free pages can't be read") }

    private mutating func add(_ bytes: [UInt8], _ at: Int, _ count: Int) {
        guard count >= 8 else { return }
        for index in 0..<min(word(bytes, at), UInt64(count / 8 - 1)) {
            pages.insert(word(bytes, at + 8 + Int(index) * 8))
        }
    }
}
