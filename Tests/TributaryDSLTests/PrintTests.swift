import Testing
import TributaryCore
import TributaryDSL
import TributaryTesting

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Records as lines of a file.
@Suite struct PrintTests {
    // The lines that a topology prints for some records, and how many were there before it was closed.
    private func lines(
        _ records: [(key: String?, value: String?)], _ describe: (StreamsBuilder, PrintTarget) -> Void,
        restarting: Bool = false
    ) throws -> (lines: [String], before: Int, topology: String) {
        var template = Array("/tmp/tributary-print-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            close(descriptor)
            unlink(path)
        }
        // What was there before goes.
        write(descriptor, "old\n", 4)
        let builder = StreamsBuilder()
        describe(builder, .file(path))
        let topology = try builder.build()
        let driver = try TopologyTestDriver(topology)
        for (index, record) in records.enumerated() {
            if restarting && index == 1 { try driver.restart() }
            try driver.pipe(
                topic: "in", key: record.key.map { Array($0.utf8) }, value: record.value.map { Array($0.utf8) },
                timestamp: 5)
        }
        let before = text(descriptor).count
        driver.close()
        return (text(descriptor).split(separator: "\n").map(String.init), before, topology.describe())
    }

    private func text(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }

    @Test func `a line has the label, key and value, and is in the file when the task ends`() throws {
        let found = try lines([("a", "x"), ("b", "y")]) { builder, file in
            builder.stream("in", of: String.self).filter { _, _ in true }.print(to: file)
            builder.stream("in", of: String.self).print(to: file, label: "all", named: "printer")
        }
        #expect(
            found.lines == [
                "[KSTREAM-FILTER-0000000001]: a, x", "[all]: a, x", "[KSTREAM-FILTER-0000000001]: b, y", "[all]: b, y",
            ])
        #expect(found.before == 0)
        #expect(found.topology.contains("Processor: KSTREAM-PRINTER-0000000002 (stores: [])"))
        #expect(found.topology.contains("Processor: printer (stores: [])\n      --> none"))
    }

    @Test func `nulls are printed as null, in types that have one and in those that don't`() throws {
        let found = try lines([("a", "x"), ("a", nil), (nil, "y"), (nil, nil)]) { builder, file in
            builder.stream("in", key: Serde<String>.string.optional, value: Serde<String>.string.optional).print(
                to: file, label: "o")
        }
        #expect(found.lines == ["[o]: a, x", "[o]: a, null", "[o]: null, y", "[o]: null, null"])
        let plain = try lines([("a", "x"), ("a", nil)]) { builder, file in
            builder.stream("in", of: String.self).print(to: file, label: "p")
        }
        #expect(plain.lines == ["[p]: a, x", "[p]: a, null"])
    }

    @Test func `a line of the user's own has no tombstones, and one that throws is the record's failure`() throws {
        let found = try lines([("a", "1"), ("a", nil), ("b", "22")]) { builder, file in
            builder.stream("in", of: String.self).print(to: file, label: "own") { "\($0) has \($1.count)" }
        }
        #expect(found.lines == ["[own]: a has 1", "[own]: b has 2"])
        #expect(throws: TaskFailure.self) {
            try lines([("a", "1")]) { builder, file in
                builder.stream("in", of: String.self).print(to: file) { _, _ in try refuse() }
            }
        }
    }

    @Test func `tasks that begin again add to their file, and a file that can't be made is an error of the start`()
        throws
    {
        let found = try lines(
            [("a", "1"), ("a", "2")],
            { builder, file in builder.stream("in", of: String.self).print(to: file, label: "l") }, restarting: true)
        #expect(found.lines == ["[l]: a, 1", "[l]: a, 2"])
        let builder = StreamsBuilder()
        builder.stream("in", of: String.self).print(to: .file("/nowhere/at all"))
        let topology = try builder.build()
        #expect { try TopologyTestDriver(topology) } throws: { "\($0)".contains("/nowhere/at all") }
    }

}

private struct NoLine: Error {}

private func refuse() throws -> String { throw NoLine() }
