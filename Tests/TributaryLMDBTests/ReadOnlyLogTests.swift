import TestSupport
import Testing
import TributaryCore
import TributaryLMDB

@Suite(.timeLimit(.minutes(10))) struct ReadOnlyLogTests {
    let folder: TemporaryFolder
    let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = "\(folder.path)/log"
        let log = try EmbeddedLog.open(at: path)
        try log.createTopics([TopicSpecification("t", partitions: 2)])
        let member = try log.joinGroup(GroupConfiguration(group: "g", clientID: "g", tasks: 1))
        try member.commit([TopicPartition("t", 1): CommittedOffset(0, metadata: "m")])
        member.leave()
        log.close()
    }

    private func open() throws -> EmbeddedLog {
        var configuration = EmbeddedLogConfiguration()
        configuration.isReadOnly = true
        return try EmbeddedLog.open(at: path, configuration: configuration)
    }

    @Test func `all that is read works, all that writes is denied`() throws {
        let log = try open()
        defer { log.close() }
        #expect(try log.topics().map(\.name) == ["t"])
        #expect(try log.groups() == [GroupDescription(name: "g")])
        #expect(try log.committedOffsets(group: "g")[TopicPartition("t", 1)]?.metadata == "m")
        #expect(try log.watermarks(TopicPartition("t", 0), committed: true) == Watermarks(low: 0, high: 0))
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "c"))
        _ = try consumer.assign(TopicPartition("t", 0), from: 0)
        #expect(try consumer.poll(timeout: 0) == nil)
        consumer.close()
        expectDenied { try log.createTopics([TopicSpecification("u")]) }
        expectDenied { try log.deleteTopics(["t"]) }
        expectDenied { try log.deleteRecords(before: [TopicPartition("t", 0): 0]) }
        expectDenied { _ = try log.makeProducer(ProducerConfiguration(clientID: "p")) }
        expectDenied { _ = try log.joinGroup(GroupConfiguration(group: "g", clientID: "g", tasks: 1)) }
        expectDenied { try log.setCommittedOffsets([:], group: "g") }
        expectDenied { try log.performMaintenance() }
    }

    private func expectDenied(_ write: () throws -> Void) {
        #expect { try write() } throws: { ($0 as? LogError)?.code == .denied }
    }

    @Test func `a reader makes no log`() throws {
        var configuration = EmbeddedLogConfiguration()
        configuration.isReadOnly = true
        #expect(throws: LogError.self) {
            try EmbeddedLog.open(at: folder.path, configuration: configuration)
        }
        #expect(throws: LogError.self) {
            try EmbeddedLog.open(at: "\(folder.path)/none", configuration: configuration)
        }
        #expect(try Program.run(["ls", folder.path]) == "log\n")
    }

    @Test func `a group is seen with its member, and its offsets are not changed under it`() throws {
        let log = try EmbeddedLog.open(at: path)
        defer { log.close() }
        let odd = "Gruppe ä/%"
        let member = try log.joinGroup(GroupConfiguration(group: odd, clientID: "g", tasks: 1))
        let found = try #require(try log.groups().first { $0.name == odd })
        #expect(found.members.count == 1 && found.members[0].hasPrefix("this process ("))
        let offsets = [TopicPartition("t", 0): CommittedOffset(0)]
        do throws(LogError) {
            try log.setCommittedOffsets(offsets, group: odd)
            Issue.record("the offsets were changed")
        } catch {
            #expect(error.code == .inUse)
        }
        member.leave()
        try log.setCommittedOffsets(offsets, group: odd)
        #expect(try log.groups() == [GroupDescription(name: odd), GroupDescription(name: "g")])
        #expect(try log.committedOffsets(group: odd) == offsets)
    }
}
