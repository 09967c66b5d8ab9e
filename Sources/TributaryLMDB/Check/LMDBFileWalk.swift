internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// What is wrong with a file of LMDB, and where.
package struct LMDBDamage: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong, in words.
    package let message: String
    /// The page.
    package let page: UInt64

    /// One sentence.
    package var description: String { "page \(page): \(message)" }
}

/// Walks over a file of LMDB without LMDB and without mapping it: whatever is damaged is told, and nothing crashes, goes on for
/// ever or takes more memory than a bit a page and the largest value.
///
/// It sees what LMDB itself does not look at: that each page is what its parent takes it for and is used once, that nodes lie
/// side by side, that all keys are in order and between those of the branches above, that counts agree, that no free page is in
/// use. What it lets pass LMDB reads without harm, and finds each key that is there. The values themselves are for the caller.
///
/// Layout of LMDB 0.9 on 64 bits, in the machine's byte order: pages begin with their number 8, padding 2, flags 2, and the
/// ends of the list of nodes and of the free room, 2 each (overflow pages: how many there are, 4). The offsets of nodes follow, 2
/// each. A node: size of the data 2 + 2 (in a branch, with the flags, the child's number), flags 2, size of the key 2, key,
/// data (flag 1: the number of the overflow page with it), padded to an even size.
package final class LMDBFileWalk {
    /// A tree of the file: the list of free pages, the list of databases, or a database.
    struct Tree {
        enum Kind {
            case free
            case databases
            case rows
        }

        let kind: Kind
        let name: String
        let root: UInt64
        let depth: Int
        let branches: UInt64
        let leaves: UInt64
        let overflows: UInt64
        let entries: UInt64
    }

    /// What a tree was found to have.
    struct Counts {
        var depth = 0
        var branches: UInt64 = 0
        var leaves: UInt64 = 0
        var overflows: UInt64 = 0
        var entries: UInt64 = 0
    }

    /// Given the rows: of each database, in the order of keys.
    typealias Row = (_ database: String, _ key: RawSpan, _ value: RawSpan) throws(LMDBDamage) -> Void

    static let headerSize = 16
    static let nodeSize = 8
    static let noPage = UInt64.max

    let file: Int32
    let pageSize: Int
    let lastPage: UInt64
    private let freeTree: Tree
    private let mainTree: Tree
    private var used: [UInt64]
    /// Bytes that the pages take which the newest commit speaks of; the file may be shorter by free ones.
    package var neededBytes: Int { (Int(lastPage) + 1) * pageSize }
    /// How many rows were seen.
    package private(set) var rows: UInt64 = 0

    /// Opens a file and looks at its meta pages.
    ///
    /// - Throws: `LMDBDamage`.
    package init(path: String) throws(LMDBDamage) {
        let opened = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard opened >= 0 else { throw LMDBDamage(message: "the file can't be opened (errno \(errno))", page: 0) }
        do throws(LMDBDamage) {
            let meta = try LMDBMeta.newest(opened)
            var status = stat()
            let size = unsafe fstat(opened, &status) == 0 ? UInt64(clamping: status.st_size) : 0
            // Pages at the end that were freed before they were written need not be there, but not millions of them.
            guard meta.lastPage >= 1, meta.lastPage / 2 <= size / UInt64(meta.pageSize) + 1 << 16 else {
                throw LMDBDamage(
                    message: "the file has \(size) bytes, and its last page is to be \(meta.lastPage)", page: meta.page)
            }
            pageSize = meta.pageSize
            lastPage = meta.lastPage
            freeTree = meta.free
            mainTree = meta.main
        } catch {
            close(opened)
            throw error
        }
        file = opened
        used = [UInt64](repeating: 0, count: Int(lastPage / 64) + 1)
        used[0] = 3  // the meta pages
    }

    deinit { close(file) }

    /// Walks over everything.
    ///
    /// - Throws: the first damage that is found, or what `row` throws.
    package func run(_ row: (String, RawSpan, RawSpan) throws(LMDBDamage) -> Void) throws(LMDBDamage) {
        var trees: [Tree] = []
        try walk(mainTree) { (node, key) throws(LMDBDamage) in
            trees.append(try Self.tree(node, key))
        }
        for tree in trees {
            try walk(tree) { (node, key) throws(LMDBDamage) in
                try self.value(node) { (value) throws(LMDBDamage) in try row(tree.name, key, value) }
                self.rows &+= 1
            }
        }
        var free: [UInt64] = []
        try walk(freeTree) { (node, _) throws(LMDBDamage) in
            try self.value(node) { (list) throws(LMDBDamage) in try Self.addFree(list, node.page, to: &free) }
        }
        for page in free { try take(page, 1, for: freeTree.root) }
    }

    // The record of a database: padding 4, flags 2, depth 2, branch, leaf, overflow pages, entries, root 8 each.
    static func tree(_ bytes: RawSpan, _ kind: Tree.Kind, name: String) -> Tree {
        Tree(
            kind: kind, name: name, root: word(bytes, 40), depth: Int(half(bytes, 6)), branches: word(bytes, 8),
            leaves: word(bytes, 16), overflows: word(bytes, 24), entries: word(bytes, 32))
    }

    private static func tree(_ node: LMDBNode, _ key: RawSpan) throws(LMDBDamage) -> Tree {
        guard node.flags == 2, node.data.byteCount == 48 else {
            throw LMDBDamage(message: "a database's record is none", page: node.page)
        }
        guard half(node.data, 4) == 0, half(node.data, 0) == 0, half(node.data, 2) == 0 else {
            throw LMDBDamage(message: "a database has flags that none is made with", page: node.page)
        }
        return tree(node.data, .rows, name: String(decoding: [UInt8](copying: key), as: UTF8.self))
    }

    private static func addFree(_ list: RawSpan, _ page: UInt64, to free: inout [UInt64]) throws(LMDBDamage) {
        let room = list.byteCount / 8 - 1
        guard list.byteCount % 8 == 0, room >= 0, word(list, 0) <= UInt64(room) else {
            throw LMDBDamage(message: "a list of free pages has a wrong length", page: page)
        }
        var last = noPage
        for index in 0..<Int(word(list, 0)) {
            let next = word(list, 8 + index * 8)
            guard next < last else { throw LMDBDamage(message: "a list of free pages is out of order", page: page) }
            free.append(next)
            last = next
        }
    }

    /// Notes that pages are used, which none may be twice.
    func take(_ page: UInt64, _ count: UInt64, for parent: UInt64) throws(LMDBDamage) {
        let (end, overflow) = page.addingReportingOverflow(count)
        guard !overflow, count > 0, page >= 2, end <= lastPage + 1 else {
            throw LMDBDamage(message: "it leads to page \(page), and the last is \(lastPage)", page: parent)
        }
        for one in page..<end {
            let (index, bit) = (Int(one / 64), UInt64(1) << (one % 64))
            guard used[index] & bit == 0 else {
                throw LMDBDamage(message: "it leads to page \(one), which is used elsewhere, too", page: parent)
            }
            used[index] |= bit
        }
    }

    /// Bytes of a page and those behind it.
    func read(_ page: UInt64, _ count: Int) throws(LMDBDamage) -> [UInt8] {
        let offset = Int(page) * pageSize
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { (buffer, filled) in
            filled = 0
            while filled < count {
                let got = unsafe pread(
                    file, buffer.baseAddress.map { unsafe $0 + filled }, count - filled, offset + filled)
                if got < 0 && errno == EINTR { continue }
                if got <= 0 { break }
                filled += got
            }
        }
        guard bytes.count == count else { throw LMDBDamage(message: "the file is cut off before it ends", page: page) }
        return bytes
    }

    @inline(__always)
    static func half(_ bytes: RawSpan, _ at: Int) -> UInt16 { (bytes.integer(at: at, as: UInt16.self) ?? 0).bigEndian }
    @inline(__always)
    static func word(_ bytes: RawSpan, _ at: Int) -> UInt64 { (bytes.integer(at: at, as: UInt64.self) ?? 0).bigEndian }
}
