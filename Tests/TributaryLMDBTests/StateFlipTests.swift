import Glibc
import TestSupport
import Testing
import TributaryCore
import TributaryState

@testable import TributaryLMDB

/// Bits of a state file are turned over: each opening either is refused or finds every row as it was written, and can write.
@Suite struct StateFlipTests {
    private let folder: TemporaryFolder
    private let directory: String
    private var file: String { directory + "/state.mdb" }

    init() throws {
        folder = try TemporaryFolder()
        directory = folder.path + "/task"
    }

    private func number(_ number: Int) -> [UInt8] { [UInt8(number >> 8 & 0xff), UInt8(number & 0xff), 7, 7, 7, 7, 7] }

    private func value(_ key: Int) -> [UInt8] {
        [UInt8](repeating: UInt8(key & 0xff), count: key % 97 == 0 ? 9000 : 20 + key % 60)
    }

    private func put(_ table: any StateTable, _ key: [UInt8], _ value: [UInt8]) throws {
        try table.put(unsafe key.span.bytes, unsafe value.span.bytes)
    }

    private func get(_ table: any StateTable, _ key: [UInt8]) throws -> [UInt8]? {
        var value = ByteWriter()
        return try table.get(unsafe key.span.bytes, into: &value) ? value.copy() : nil
    }

    /// A file with branches, leaves, large values, buckets and free pages.
    private func make() throws {
        let engine = try LMDBStateEngine(directory: directory, options: testOptions)
        defer { engine.close() }
        let table = try engine.table("rows")
        for key in 0..<3000 { try put(table, number(key), value(key)) }
        try put(try engine.table("gone"), [1], [UInt8](repeating: 1, count: 30_000))
        try engine.setMetadata("position/rows", [1, 2, 3])
        try engine.commit()
        for key in stride(from: 0, to: 3000, by: 7) { try table.delete(unsafe number(key).span.bytes) }
        try engine.dropTable("gone")
        try engine.commit()
        try put(try engine.table("other"), [9], [9])
        try engine.commit()
    }

    private func isKept(_ key: Int) -> Bool { key % 7 != 0 }

    /// What comes of opening the file as it lies there.
    private func tryOut() throws -> String {
        let engine: LMDBStateEngine
        do throws(StoreError) {
            engine = try LMDBStateEngine(directory: directory, options: testOptions)
        } catch {
            return error.code == .corrupt || error.code == .unknownFormat ? "refused" : "\(error)"
        }
        defer { engine.close() }
        do {
            let table = try engine.table("rows")
            for key in 0..<3000 {
                if try get(table, number(key)) != (isKept(key) ? value(key) : nil) { return "wrong row" }
            }
            guard try table.count() == (0..<3000).count(where: isKept) else { return "wrong count" }
            guard try engine.metadata("position/rows") == [1, 2, 3], try get(try engine.table("other"), [9]) == [9]
            else {
                return "wrong row"
            }
            // Free pages are used again now.
            for key in 3000..<3300 { try put(table, number(key), value(key)) }
            for key in 0..<300 { try put(table, number(key), value(key)) }
            try engine.commit()
            for key in 300..<3300 where isKept(key) || key >= 3000 {
                if try get(table, number(key)) != value(key) { return "wrong row after writing" }
            }
        } catch {
            return (error as? StoreError)?.code == .corrupt ? "error" : "\(error)"
        }
        engine.close()
        do { _ = try LMDBStateEngine.walk(file) } catch { return "damage kept" }
        return "right"
    }

    @Test func `a turned bit is refused, or changes nothing`() throws {
        try make()
        let sound = try contents(file)
        let map = try LMDBFileMap(file)
        var table = OutcomeTable("place")
        let count = environment("TRIBUTARY_SOAK") == nil ? 12 : 400
        for place in FlipPlace.allCases {
            for flip in map.flips(place, count: count, seed: 1) {
                try LMDBStateEngine.delete(directory: directory)
                try StateFiles.write(file, sound, isSynced: false)
                try flip.apply(to: file)
                let outcome = try tryOut()
                table.add(place.rawValue, outcome)
                #expect(["refused", "right", "error"].contains(outcome), "\(place.rawValue): \(flip)")
            }
        }
        print(table)
        // What is not in use may be turned as one likes; everything else is noticed.
        #expect(table.count("refused") > table.count("right"))
    }
}
