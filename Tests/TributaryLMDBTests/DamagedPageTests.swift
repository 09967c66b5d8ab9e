import Glibc
import TestSupport
import Testing
import TributaryCore

@testable import TributaryLMDB

/// Files in which one number is not LMDB's: each check of their pages says so by itself.
@Suite struct DamagedPageTests {
    private let folder: TemporaryFolder
    private let pageSize = Int(getpagesize())
    private var path: String { folder.path + "/a.mdb" }

    init() throws { folder = try TemporaryFolder() }

    /// A file of one commit.
    private func write(_ keys: [String], valueSize: Int = 10, isSealed: Bool = false) throws {
        let environment = try LMDBEnvironment(path: path)
        var write = try environment.write()
        let table = try write.openDatabase("table", sealed: isSealed)
        for key in keys {
            let (name, value) = (Array(key.utf8), [UInt8](repeating: 0x76, count: valueSize))
            try write.put(table, unsafe name.span.bytes, unsafe value.span.bytes)
        }
        try write.commit()
        #expect(findings() == nil)
    }

    /// What reading a key fails with; nil if it does not.
    private func failure(_ key: String, isSealed: Bool = false) throws -> LMDBError.Kind? {
        let environment = try LMDBEnvironment(path: path)
        let table = try self.table(environment, isSealed)
        let read = try environment.read()
        let name = Array(key.utf8)
        do throws(LMDBError) {
            _ = try read.value(table, unsafe name.span.bytes)
            return nil
        } catch { return error.kind }
    }

    private func table(_ environment: LMDBEnvironment, _ isSealed: Bool) throws -> LMDBDatabase {
        var write = try environment.write()
        let table = try write.openDatabase("table", create: false, sealed: isSealed)
        try write.commit()
        return table
    }

    /// What the walk over the file finds; nil if it is sound.
    private func findings() -> String? {
        do throws(LMDBDamage) {
            try LMDBFileWalk(path: path).run { (_, _, _) throws(LMDBDamage) in }
            return nil
        } catch { return error.message }
    }

    private struct Node {
        let key: [UInt8]
        /// Where it lies in the file.
        let at: Int
        let page: Int
        let isLast: Bool

        /// Where its value lies, or what leads to it.
        var value: Int { at + 8 + key.count }
    }

    /// The nodes of all leaves, in the order of the pages.
    private func nodes() throws -> [Node] {
        let bytes = try contents(path)
        var nodes: [Node] = []
        for page in stride(from: 2 * pageSize, to: bytes.count, by: pageSize) where half(bytes, page + 10) == 2 {
            let count = (Int(half(bytes, page + 12)) - 16) / 2
            for index in 0..<count {
                let at = page + Int(half(bytes, page + 16 + index * 2))
                let key = bytes[(at + 8)...].prefix(Int(half(bytes, at + 6)))
                nodes.append(Node(key: Array(key), at: at, page: page, isLast: index == count - 1))
            }
        }
        return nodes
    }

    private func node(_ key: String) throws -> Node {
        try #require(try nodes().first { $0.key == Array(key.utf8) })
    }

    // MARK: Pages

    @Test func `a node that is shorter than its place is found`() throws {
        try write(["k1", "k2", "k3"])
        try overwrite(path, at: try node("k2").at, [8])
        #expect(findings() == "nodes are missing in it, or too many")
        #expect(try failure("k2") == .corrupt)
    }

    @Test func `a page with another's number is found`() throws {
        try write(["k1", "k2", "k3"])
        let page = try node("k2").page
        try overwrite(path, at: page, [UInt8(page / pageSize) + 1])
        #expect(findings() != nil)
        #expect(try failure("k2") == .corrupt)
    }

    @Test func `keys that are not in order are found`() throws {
        try write(["k1", "k2", "k3"])
        try overwrite(path, at: try node("k1").at + 8, Array("x".utf8))
        #expect(findings() == "keys are out of order")
        #expect(try failure("k2") == .corrupt)
    }

    @Test(arguments: [false, true])
    func `keys that are not between those that lead to their page are found`(areAbove: Bool) throws {
        try write((1000..<3000).map { "k\($0)" })
        let all = try nodes()
        let ends = all.filter { $0.key.count == 5 && $0.isLast }
        try #require(ends.count > 4)
        // The first key of a page in the middle becomes the least of all, or its last one the greatest.
        let middle = ends[ends.count / 2]
        let first = try #require(all.first { $0.page == middle.page })
        let changed = areAbove ? middle : first
        try overwrite(path, at: changed.at + 8, Array((areAbove ? "x" : "a").utf8))
        #expect(findings() != nil)
        #expect(try failure(String(decoding: changed.key, as: UTF8.self)) == .corrupt)
    }

    @Test func `pages that two values have are found`() throws {
        try write(["k1", "k2"], valueSize: 10_000)
        let (one, other) = (try node("k1").value, try node("k2").value)
        try overwrite(path, at: other, Array(try contents(path)[one..<(one + 8)]))
        #expect(findings()?.contains("which is used elsewhere, too") == true)
    }

    @Test func `a table that has another number of entries is found`() throws {
        try write(["k1", "k2", "k3"])
        try overwrite(path, at: try node("table").value + 32, [4])
        #expect(findings()?.contains("has 3 entries in 1 leaves where its record says 4 in 1") == true)
    }

    @Test func `a row that is not the one its checksum is of is an error`() throws {
        try write(["k1", "k2", "k3"], isSealed: true)
        #expect(try failure("k2", isSealed: true) == nil)
        try overwrite(path, at: try node("k2").value + 3, Array("w".utf8))
        #expect(try failure("k2", isSealed: true) == .corrupt)
        #expect(try failure("k3", isSealed: true) == nil)
    }

    // MARK: Meta pages

    /// Whether the file is refused before LMDB maps it.
    private var isRefused: Bool { code { try LogFileCheck.run(path) } == .corrupt }

    @Test func `a file that lacks its last page is refused`() throws {
        try write(["k1"])
        #expect(!isRefused)
        try overwrite(path, at: pageSize + 136, [200])
        #expect(isRefused)
    }

    @Test func `a root that leads to a page with another's number is refused`() throws {
        try write(["k1"])
        #expect(!isRefused)
        let root = Int(word(try contents(path), pageSize + 128))
        try overwrite(path, at: root * pageSize, [UInt8(root) + 1])
        #expect(isRefused)
    }

    @Test func `meta pages with each other's numbers are refused`() throws {
        try write(["k1"])
        #expect(!isRefused)
        let bytes = try contents(path)
        #expect(word(bytes, 144) == 0 && word(bytes, pageSize + 144) == 1)
        try overwrite(path, at: 144, [1])
        try overwrite(path, at: pageSize + 144, [0])
        #expect(isRefused)
    }
}
