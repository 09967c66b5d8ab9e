import CLMDB
import Glibc
import TestSupport
import Testing
import TributaryCore
import TributaryState

@testable import TributaryLMDB

@Suite struct LMDBStateFileTests {
    private let folder: TemporaryFolder
    private let directory: String
    private var file: String { directory + "/state.mdb" }

    init() throws {
        folder = try TemporaryFolder()
        directory = folder.path + "/state/app/0_1"
    }

    private func open(_ change: (inout LMDBStateOptions) -> Void = { _ in }) throws -> LMDBStateEngine {
        var options = testOptions
        change(&options)
        return try LMDBStateEngine(directory: directory, options: options)
    }

    private func find(
        _ reader: LMDBStateReader, _ table: String, _ key: [UInt8], _ value: inout ByteWriter
    ) throws -> Bool {
        try reader.get(table, unsafe key.span.bytes, into: &value)
    }

    private func number(_ number: Int) -> [UInt8] {
        [UInt8(number >> 16 & 0xff), UInt8(number >> 8 & 0xff), UInt8(number & 0xff)]
    }

    private func code(_ body: () throws -> Void) -> StoreError.Code? {
        do { try body() } catch { return (error as? StoreError)?.code }
        return nil
    }

    // MARK: Failures

    @Test func `a full map is an error, and after an abort the engine serves what was committed`() throws {
        let engine = try open { $0.mapSize = 1 << 20 }
        defer { engine.close() }
        let table = try engine.table("store")
        try put(table, [1], [1])
        try engine.commit()
        let large = [UInt8](repeating: 1, count: 10_000)
        let found = code { for key in 0..<1000 { try put(table, number(key), large) } }
        #expect(found == .mapFull)
        #expect(code { try put(table, [2], [2]) } == .mapFull)
        #expect(code { _ = try get(table, [1]) } == .mapFull)
        #expect(code { try engine.commit() } == .mapFull)
        engine.abort()
        #expect(try get(table, [1]) == [1])
        #expect(try get(table, number(0)) == nil)
        try put(table, [2], [2])
        try engine.commit()
        #expect(try get(table, [2]) == [2])
    }

    @Test(arguments: [ENOSPC, EDQUOT])
    func `a full disk at a write or a commit is an error that an abort clears`(status: Int32) throws {
        let faults = LMDBFaults()
        let engine = try open { $0.faults = faults }
        defer { engine.close() }
        let table = try engine.table("store")
        try put(table, [1], [1])
        try engine.commit()

        faults.failWrite(3, code: status)
        #expect(code { for key in 0..<10 { try put(table, number(key), [1]) } } == .diskFull)
        faults.clear()
        #expect(code { try put(table, [1], [2]) } == .diskFull, "the transaction is spoiled until it is aborted")
        engine.abort()
        #expect(try get(table, [1]) == [1])

        try put(table, [1], [3])
        faults.failCommit(1, code: status)
        #expect(code { try engine.commit() } == .diskFull)
        faults.clear()
        #expect(code { _ = try get(table, [1]) } == .diskFull, "what was not committed must not look as if it were")
        engine.abort()
        #expect(try get(table, [1]) == [1])
        try put(table, [1], [4])
        try engine.commit()
        #expect(try get(table, [1]) == [4])
    }

    @Test(arguments: [true, false])
    func `a rebuilt file that can't be written to disk goes away, and the old one stays`(atSync: Bool) throws {
        let faults = LMDBFaults()
        let engine = try open { $0.faults = faults }
        defer { engine.close() }
        let table = try engine.table("store")
        try put(table, [1], [1])
        try engine.commit()
        let rebuilt = try engine.beginRebuild()
        try put(rebuilt.table("store"), [1], [2])
        if atSync { faults.failSync(1, code: ENOSPC) } else { faults.failCommit(1) }
        #expect(code { try engine.finishRebuild(rebuilt) } == .diskFull)
        faults.clear()
        for suffix in [".rebuild", ".rebuild-lock", ".rebuild-unsynced"] {
            #expect(unsafe access(file + suffix, F_OK) != 0)
        }
        #expect(try get(table, [1]) == [1])
    }

    @Test func `a write that fails when a cursor closes is told by the next call`() throws {
        let faults = LMDBFaults()
        let engine = try open { $0.faults = faults }
        defer { engine.close() }
        let table = try engine.table("store")
        for key in 0..<10 { try put(table, number(key), [1]) }
        try engine.commit()
        let cursor = try table.cursor(from: nil, through: nil, reverse: false)
        try put(table, number(3), [2])
        faults.failWrite(1)
        cursor.close()
        faults.clear()
        #expect(code { try engine.commit() } == .diskFull)
        engine.abort()
        #expect(try get(table, number(3)) == [1])
    }

    @Test func `too many tables are a typed error, and dropped ones make room`() throws {
        let engine = try open { $0.maximumTables = 3 }
        defer { engine.close() }
        for name in ["a", "b", "c"] { try put(try engine.table(name), [1], [1]) }
        #expect(code { _ = try engine.table("d") } == .invalidRequest)
        try engine.commit()
        try engine.dropTable("b")
        try engine.commit()
        try put(try engine.table("d"), [1], [4])
        try engine.commit()
        #expect(try engine.tableNames().sorted() == ["a", "c", "d"])
        for round in 0..<20 {
            try engine.dropTable("d")
            try put(try engine.table("d"), [1], [UInt8(round)])
            if round % 3 == 0 { engine.abort() } else { try engine.commit() }
        }
        #expect(try get(try engine.table("d"), [1]) == [19])
    }

    // MARK: Files

    @Test func `a file that was cut off, or is not LMDB's, is an error and not a crash`() throws {
        let engine = try open()
        let table = try engine.table("store")
        for key in 0..<5000 { try put(table, number(key), [UInt8](repeating: 1, count: 50)) }
        try engine.commit()
        engine.close()
        let size = try #require(StateFiles.size(file))
        for length in [size - 1, size / 2, 8192, 8191, 4096, 100, 1] {
            #expect(unsafe truncate(file, length) == 0)
            #expect(code { _ = try open() } == .corrupt, "\(length) bytes of \(size)")
            #expect(code { _ = try LMDBStateReader(directory: directory) } == .corrupt)
        }
        try StateFiles.write(file, Array("this is no state ".utf8) + [UInt8](repeating: 65, count: 20_000))
        #expect(code { _ = try open() } == .corrupt)
        try LMDBStateEngine.delete(directory: directory)
        let again = try open()
        defer { again.close() }
        #expect(try again.tableNames() == [])
    }

    @Test func `a file of another program or format is refused`() throws {
        try StateFiles.makeFolder(directory)
        do {
            let environment = try LMDBEnvironment(path: file, options: LMDBOptions(mapSize: 1 << 20))
            var transaction = try environment.write()
            _ = try transaction.openDatabase("theirs")
            try transaction.commit()
        }
        #expect(code { _ = try open() } == .unknownFormat)
        try LMDBStateEngine.delete(directory: directory)
        let engine = try open()
        try engine.metadataTable.setRecord("format", [3])
        try engine.commit()
        engine.close()
        #expect(code { _ = try open() } == .unknownFormat)
    }

    @Test func `fast commits of another boot are refused, those of this boot are not`() throws {
        let engine = try open { $0.durability = .fast }
        try put(try engine.table("store"), [1], [1])
        try engine.commit()
        let mark = file + "-unsynced"
        #expect(try StateFiles.read(mark, limit: 64) == StateFiles.bootID())
        engine.close()
        #expect(StateFiles.size(mark) == nil, "a clean close writes everything and says so")

        // What a killed process and what a crashed system leave behind.
        try StateFiles.write(mark, StateFiles.bootID() ?? [])
        let again = try open { $0.durability = .standard }
        #expect(try get(try again.table("store"), [1]) == [1])
        again.close()
        #expect(StateFiles.size(mark) == nil)
        try StateFiles.write(mark, Array("another boot".utf8))
        #expect(code { _ = try open { $0.durability = .standard } } == .corrupt)
        #expect(code { _ = try open { $0.durability = .fast } } == .corrupt)
    }

    @Test func `every setting of durability keeps what was committed, and waits for what it says`() throws {
        let waits: [(LMDBStateOptions.Durability, LMDBOptions.Sync)] = [
            (.standard, .data), (.full, .full), (.fast, .none),
        ]
        for (durability, sync) in waits {
            let engine = try open { $0.durability = durability }
            #expect(engine.core.state.value.environment?.commitSync == sync)
            let table = try engine.table("store")
            try put(table, Array("\(durability)".utf8), [1])
            try engine.commit()
            try put(table, Array("\(durability)".utf8), [2])
            engine.close()
            let again = try open { $0.durability = durability }
            #expect(try get(try again.table("store"), Array("\(durability)".utf8)) == [1])
            again.close()
        }
    }

    @Test func `reopening keeps tables, and takes back what is not committed`() throws {
        let engine = try open()
        defer { engine.close() }
        let table = try engine.table("store")
        for key in 0..<1000 { try put(table, number(key), number(key)) }
        try engine.commit()
        try put(table, [9], [9])
        try engine.reopen()
        #expect(try get(table, number(999)) == number(999))
        #expect(try get(table, [9]) == nil)
        try put(table, [9], [9])
        try engine.commit()
        #expect(try table.count() == 1001)
    }

    // MARK: Rebuild

    private func long(_ suffix: [UInt8]) -> [UInt8] { [UInt8](repeating: 5, count: 504) + suffix }

    @Test func `a rebuild keeps trusted tables, takes the rest from the caller, and swaps the file`() throws {
        let engine = try open()
        defer { engine.close() }
        let kept = try engine.table("kept")
        let rebuilt = try engine.table("rebuilt")
        for key in 0..<3000 { try put(kept, number(key), number(key)) }
        for suffix in 0..<5 { try put(kept, long([UInt8(suffix)]), [UInt8(suffix)]) }
        try put(rebuilt, [1], [1])
        try engine.setMetadata("position/kept", [1])
        try engine.setMetadata("position/rebuilt", [2])
        try engine.commit()
        let reader = engine.makeReader()
        var value = ByteWriter()
        #expect(try find(reader, "rebuilt", [1], &value))

        try engine.rebuild(keeping: ["kept"], metadata: ["position/kept"]) { new in
            let table = try new.table("rebuilt")
            let (key, content): ([UInt8], [UInt8]) = ([7], [7])
            try table.append(unsafe key.span.bytes, unsafe content.span.bytes)
            try new.commit()
            try new.setMetadata("position/rebuilt", [3])
        }
        #expect(try kept.count() == 3005)
        #expect(try get(kept, number(2999)) == number(2999))
        #expect(try get(kept, long([3])) == [3])
        #expect(try get(rebuilt, [1]) == nil)
        #expect(try get(rebuilt, [7]) == [7])
        #expect(try engine.metadata("position/kept") == [1])
        #expect(try engine.metadata("position/rebuilt") == [3])
        #expect(StateFiles.size(file + ".rebuild") == nil && StateFiles.size(file + ".rebuild-lock") == nil)
        try put(kept, long([9]), [9])
        try engine.commit()
        #expect(try kept.count() == 3006)
        #expect(try find(reader, "rebuilt", [7], &value), "a reader goes over to the new file")
        engine.close()
        let again = try open()
        defer { again.close() }
        #expect(try again.table("kept").count() == 3006)
        #expect(try get(try again.table("rebuilt"), [7]) == [7])
    }

    @Test func `a rebuilt file gets a lock file of its own`() throws {
        let engine = try open()
        defer { engine.close() }
        try put(try engine.table("store"), [1], [1])
        try engine.commit()
        // By its second name the old one can be told from another.
        #expect(unsafe link(file + "-lock", file + "-old") == 0)
        try engine.rebuild(keeping: ["store"], metadata: []) { _ in }
        var status = stat()
        #expect(unsafe stat(file + "-lock", &status) == 0 && status.st_nlink == 1)
    }

    @Test func `a rebuild that fails changes nothing, and one that a crash left is deleted`() throws {
        let engine = try open()
        let table = try engine.table("store")
        try put(table, [1], [1])
        try engine.commit()
        let found = code {
            try engine.rebuild(keeping: [], metadata: []) { _ in
                throw StoreError(.io, "the changelog cannot be read")
            }
        }
        #expect(found == .io)
        #expect(try get(table, [1]) == [1])
        #expect(StateFiles.size(file + ".rebuild") == nil)
        let left = try engine.beginRebuild()
        try put(try left.table("store"), [1], [2])
        try left.commit()
        engine.close()
        left.close()
        let again = try open()
        defer { again.close() }
        #expect(StateFiles.size(file + ".rebuild") == nil)
        #expect(try get(try again.table("store"), [1]) == [1])
    }

    // MARK: Readers and locks

    @Test(arguments: [false, true])
    func `a reader sees what is committed, in order, and nothing else`(beside: Bool) throws {
        let engine = try open()
        let table = try engine.table("store")
        // More than one step of a reader, with a bucket of long keys in the middle of it all.
        let keys = (0..<3000).map(number) + [long([]), long([1]), long([1, 0]), long([2])] + [[6], [7, 7]]
        for key in keys { try put(table, key, [UInt8](repeating: key.last ?? 0, count: 40)) }
        try engine.setMetadata("position", [4])
        try engine.commit()
        try put(table, [8], [8])
        let reader: LMDBStateReader
        if beside {
            reader = engine.makeReader()
        } else {
            engine.close()
            reader = try LMDBStateReader(directory: directory)
        }
        defer { engine.close() }
        #expect(try reader.tableNames() == ["store"])
        #expect(try reader.metadata("position") == [4])
        var value = ByteWriter()
        #expect(try find(reader, "store", [6], &value))
        #expect(value.copy() == [UInt8](repeating: 6, count: 40))
        #expect(try !find(reader, "store", [8], &value))
        #expect(try find(reader, "store", long([1]), &value))
        #expect(try !find(reader, "store", long([3]), &value))
        var found: [[UInt8]] = []
        try reader.forEach("store", from: nil, through: nil) { (key, _) throws(StoreError) in
            found.append([UInt8](copying: key))
            return true
        }
        #expect(found == keys)
        found = []
        let (lower, upper) = (number(2990), long([1]))
        try reader.forEach("store", from: unsafe lower.span.bytes, through: unsafe upper.span.bytes) { (key, _) in
            found.append([UInt8](copying: key))
            return found.count < 12
        }
        #expect(found == Array(keys[2990..<3002]))
        #expect(code { _ = try find(reader, "missing", [1], &value) } == .unknownStore)
    }

    @Test func `a reader on another thread sees whole commits only, while tables come and go`() async throws {
        let engine = try open()
        let table = try engine.table("store")
        try put(table, [1], [0])
        try put(table, [2], [0])
        try engine.commit()
        let reader = engine.makeReader()
        async let reading = Self.readPairs(reader)
        // No await in here: a write transaction ends on the thread that began it.
        for round in 0..<300 {
            let value = [UInt8](repeating: UInt8(round & 0xff), count: round)
            try put(table, [1], value)
            try put(try engine.table("other"), [1], value)
            try put(table, [2], value)
            if round % 7 == 0 { try engine.dropTable("other") }
            if round % 5 == 0 { engine.abort() } else { try engine.commit() }
        }
        #expect(try await reading == 0)
        engine.close()
    }

    /// Walks over pairs that are always written together; returns how often they differed.
    @concurrent
    private static func readPairs(_ reader: LMDBStateReader) async throws -> Int {
        var torn = 0
        for _ in 0..<2000 {
            var values: [[UInt8]] = []
            try reader.forEach("store", from: nil, through: nil) { (_, value) throws(StoreError) in
                values.append([UInt8](copying: value))
                return true
            }
            if values.count != 2 || values[0] != values[1] { torn += 1 }
            do throws(StoreError) {
                var value = ByteWriter()
                let key: [UInt8] = [1]
                _ = try reader.get("other", unsafe key.span.bytes, into: &value)
            } catch {
                guard error.code == .unknownStore else { throw error }
            }
        }
        return torn
    }

    @Test func `a state directory has one owner, and says who`() throws {
        do {
            let lock = try StateDirectoryLock(directory: directory)
            let error = #expect(throws: StoreError.self) { _ = try StateDirectoryLock(directory: directory) }
            #expect(error?.code == .inUse)
            #expect(error?.message.contains("this process (\(getpid()))") == true)
            _ = consume lock
        }
        _ = try StateDirectoryLock(directory: directory)
    }
}
