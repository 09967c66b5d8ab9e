import TestSupport
import Testing
import TributaryCore
import TributaryState

@testable import TributaryLMDB

/// What memory holds until a commit are pages, whatever the rows' size.
@Suite struct DirtyPagesTests {
    private let folder: TemporaryFolder
    private let engine: LMDBStateEngine

    init() throws {
        folder = try TemporaryFolder()
        engine = try LMDBStateEngine(directory: folder.path + "/state", options: testOptions)
    }

    private func put(_ table: some StateTable, _ number: Int) throws {
        let key = (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
        let value = [UInt8](repeating: 7, count: 40)
        try table.put(unsafe key.span.bytes, unsafe value.span.bytes)
    }

    @Test func `rows all over a table are whole pages`() throws {
        defer { engine.close() }
        let table = try engine.table("store")
        for number in 0..<100_000 { try put(table, number) }
        let all = engine.dirtyBytes
        // 60 bytes and LMDB's own a row; pages of rows that came in order are half full or full.
        #expect((6_000_000...16_000_000).contains(all), "\(all)")
        try engine.commit()
        #expect(engine.dirtyBytes == 0)
        for step in 0..<1_000 { try put(table, step * 100) }
        #expect((2_000_000...8_300_000).contains(engine.dirtyBytes), "1,000 pages, not \(engine.dirtyBytes)")
        for step in 0..<100_000 { try put(table, step * 7919 % 100_000) }
        #expect(engine.dirtyBytes <= all * 5 / 4, "no more than there are, not \(engine.dirtyBytes)")
    }

    @Test func `a few rows that are written again and again stay a few pages`() throws {
        defer { engine.close() }
        let table = try engine.table("store")
        for _ in 0..<10_000 { for number in 0..<10 { try put(table, number) } }
        #expect((1...40_000).contains(engine.dirtyBytes), "\(engine.dirtyBytes)")
    }
}
