import TestSupport
import Testing
import TributaryCore
import TributaryLMDB

@Suite(.timeLimit(.minutes(10))) struct DiskReserveTests {
    @Test func `with less space than the reserve records are refused, while deleting and offsets go on`() throws {
        let disk = try smallDisk(8 << 20)
        var configuration = EmbeddedLogConfiguration()
        configuration.maintenanceInterval = .zero
        let log = try EmbeddedLog.open(at: disk.path + "/log", configuration: configuration)
        defer { log.close() }
        try log.createTopics([TopicSpecification("t")])
        try log.write([TestRecord("k", "1")], to: "t")
        let group = try log.joinGroup(GroupConfiguration(group: "g", clientID: "c", tasks: 1))
        // A 64th of the disk is 128 KiB.
        try disk.fill(leaving: 100 << 10)
        do {
            try log.write([TestRecord("k", "2")], to: "t")
            Issue.record("no failure")
        } catch {
            #expect((error as? LogError)?.code == .diskFull)
            #expect("\(error)".contains("reserve of 131072"), "\(error)")
        }
        try group.commit([TopicPartition("t", 0): CommittedOffset(1)])
        try log.deleteRecords(before: [TopicPartition("t", 0): 1])
        disk.empty()
        try log.write([TestRecord("k", "3")], to: "t")
        #expect(try log.texts("t") == ["1 k=3"])
        #expect(try log.committedOffsets(group: "g")[TopicPartition("t", 0)]?.offset == 1)
    }

    @Test func `a reserve of nothing is none, and one of a byte is met`() throws {
        let disk = try smallDisk(1 << 20)
        #expect(DiskReserve(bytes: 0, path: disk.path).shortage() == nil)
        #expect(DiskReserve(bytes: 1, path: disk.path).shortage() == nil)
        try disk.fill(leaving: 0)
        #expect(DiskReserve(bytes: 0, path: disk.path).shortage() == nil)
        #expect(DiskReserve(bytes: 1, path: disk.path).shortage()?.reserve == 1)
        #expect(DiskReserve(bytes: .max, path: disk.path).shortage()?.reserve == 16384)
        #expect(DiskReserve(bytes: 1, path: disk.path + "/none").shortage() == nil)
    }
}

/// A small file system, or the end of a test that may not mount one.
func smallDisk(_ bytes: Int) throws -> SmallDisk {
    do { return try SmallDisk(bytes: bytes) } catch let error as SystemFailure {
        try Test.cancel("this process may not mount a file system (\(error.code))")
    }
}
