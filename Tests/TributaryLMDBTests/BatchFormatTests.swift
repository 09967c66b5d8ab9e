import TestSupport
import Testing
import TributaryCore
import TributaryLineage

@testable import TributaryLMDB

@Suite(.timeLimit(.minutes(10))) struct BatchFormatTests {
    @Test func `the documented batch is what is written`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t")])
        var full = TestRecord("k2", "", at: 1_700_000_000_005)
        full.context = TraceContext(
            traceHigh: 0x0af7_6519_16cd_43dd, traceLow: 0x8448_eb21_1c80_319c, span: 0xb7ad_6b71_6920_3331, flags: 1)
        full.cell = [1, 2]
        full.lineageHeaders = Headers([("tracestate", Array("a=1".utf8))])
        full.headers = Headers([("h", nil)])
        let records = [
            TestRecord("k1", "v1", at: 1_700_000_000_000), full, TestRecord(nil, nil, at: 1_699_999_999_999),
        ]
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "tx"))
        let topic = try producer.number(ofTopic: "t")
        try producer.beginTransaction()
        for record in records { try producer.send(record, to: topic) }
        _ = try producer.commitTransaction(offsets: [:], group: nil)
        producer.close()
        log.close()
        let batches = try changeBatches(folder) { _ in nil }
        // The vector of Docs/Formats.md.
        let header =
            "fa4201000000000000000000af61f0b94e13a81f00000002000000030000018bcfe568000000018bcfe568050000000000000000"
        let first = "000002026b317631"
        let second =
            "0f0a02000af7651916cd43dd8448eb211c80319cb7ad6b7169203331010201021001"
            + "0a7472616365737461746504613d3104010168006b32"
        #expect(batches.map { unsafe $0.span.bytes.hexadecimal } == [header + first + second + "300b"])
        #expect(try openLog(folder).read("t").map(\.value) == records.map(\.value))
    }

    @Test func `malformed batches with a right checksum are errors or records, never a crash`() throws {
        let folder = try TemporaryFolder()
        let partitions: Int32 = 400
        do {
            let log = try openLog(folder)
            try log.createTopics([TopicSpecification("t", partitions: partitions)])
            var records = (0..<20).map { TestRecord("key \($0)", "value \($0)", at: Int64($0)) }
            for index in records.indices where index % 3 == 0 {
                records[index].headers = Headers([("a", [1]), ("b", nil)])
                records[index].cell = [1, 2, 3]
                records[index].lineageHeaders = Headers([("tracestate", [65])])
                records[index].context = TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 1)
            }
            for partition in 0..<partitions { try log.write(records, to: "t", partition) }
            log.close()
        }
        var random = FastRandom(seed: 42)
        _ = try changeBatches(folder) { bytes in
            var bytes = bytes
            for _ in 0..<(1 + random.next() % 3) {
                let at = 20 + Int(random.next() % UInt64(bytes.count - 20))
                bytes[at] =
                    [0, 0x7f, 0x80, 0xff, UInt8(truncatingIfNeeded: random.next())].randomElement(using: &random) ?? 0
            }
            if random.next() % 4 == 0 { bytes.removeLast(Int(random.next() % 30)) }
            var sum = unsafe checksum64(bytes.span.bytes.dropping(20))
            for index in 0..<8 {
                bytes[19 - index] = UInt8(truncatingIfNeeded: sum)
                sum >>= 8
            }
            return bytes
        }
        let log = try openLog(folder)
        var errors = 0
        for partition in 0..<partitions {
            do {
                #expect(try log.read("t", partition).count <= 20)
            } catch {
                #expect((error as? LogError)?.code == .corrupt)
                errors += 1
            }
        }
        #expect(errors > 100)
        #expect(try log.verify().count >= errors)
    }

    /// What is wrong with a batch of base offset 7 in the log, whose checksum is right.
    private func fault(
        _ records: [UInt8], count: UInt32 = 1, lastDelta: UInt32 = 0, base: Int64 = 7
    ) -> BatchHeader.Fault? {
        var fields = ByteWriter()
        fields.append(bigEndian: lastDelta)
        fields.append(bigEndian: count)
        for _ in ["base timestamp", "greatest timestamp", "horizon"] { fields.append(bigEndian: Int64(0)) }
        fields.append(records)
        var bytes = ByteWriter()
        bytes.append(bigEndian: BatchFormat.magic)
        bytes.append(BatchFormat.version)
        bytes.append(0)
        bytes.append(bigEndian: base)
        bytes.append(bigEndian: checksum64(fields.bytes))
        bytes.append(fields.bytes)
        let batch = StoredBatch(copying: bytes.bytes, base: 7)
        do throws(BatchHeader.Fault) {
            try batch.forEach(try batch.header()) { _ in true }
            return nil
        } catch { return error }
    }

    @Test func `a batch that contradicts itself or its key is told by what is wrong`() {
        let bare = BatchFormat.nullKey | BatchFormat.nullValue
        #expect(fault([bare, 0]) == nil)
        #expect(fault([bare, 0, bare, 0], count: 2, lastDelta: 1) == nil)
        #expect(fault([bare, 0], base: 8) == .base)
        #expect(fault([bare | BatchFormat.unknown, 0]) == .record)
        // Bytes behind the last record.
        #expect(fault([bare, 0, bare, 0], lastDelta: 1) == .record)
        // More records than offsets.
        #expect(fault([bare, 0, bare, 0], count: 2) == .fields)
        // A gap up to the last offset, and one beyond it.
        #expect(fault([bare | BatchFormat.gap, 4, 0], lastDelta: 4) == nil)
        #expect(fault([bare | BatchFormat.gap, 5, 0], lastDelta: 4) == .record)
    }

    /// Replaces each stored batch by what `change` makes of it, the log being closed; returns the batches.
    private func changeBatches(
        _ folder: TemporaryFolder, _ change: ([UInt8]) -> [UInt8]?
    ) throws -> [[UInt8]] {
        let environment = try LMDBEnvironment(
            path: folder.path + "/log/log.mdb", options: LMDBOptions(mapSize: 1 << 30))
        var write = try environment.write()
        let records = try write.openDatabase("records")
        var all: [([UInt8], [UInt8])] = []
        do {
            let cursor = try write.cursor(records)
            var entry = try cursor.move(.first)
            while let found = entry {
                all.append(([UInt8](copying: found.key), [UInt8](copying: found.value)))
                entry = try cursor.move(.next)
            }
        }
        for (key, value) in all {
            guard let next = change(value) else { continue }
            unsafe try write.put(records, key.span.bytes, next.span.bytes)
        }
        try write.commit()
        return all.map(\.1)
    }
}
