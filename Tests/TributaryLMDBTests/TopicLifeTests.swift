import TestSupport
import Testing
import TributaryCore
import TributaryLMDB

@Suite(.timeLimit(.minutes(10))) struct TopicLifeTests {
    @Test func `lives of a topic survive its deletion and a restart, and so do the offsets of others`() throws {
        let folder = try TemporaryFolder()
        for life: UInt64 in 1...4 {
            let log = try openLog(folder)
            #expect(try log.topic("t") == nil)
            try log.createTopics([TopicSpecification("t", settings: ["cleanup.policy": "compact"])])
            if life == 1 { try log.createTopics([TopicSpecification("tt")]) }
            #expect(try log.topic("t")?.life == life)
            let group = try log.joinGroup(GroupConfiguration(group: "t", clientID: "c", tasks: 1))
            try group.commit([TopicPartition("t", 0): CommittedOffset(Int64(life))])
            if life == 1 { try group.commit([TopicPartition("tt", 0): CommittedOffset(5)]) }
            log.close()
            let again = try openLog(folder)
            let topic = try #require(try again.topic("t"))
            #expect(topic.life == life && topic.settings["cleanup.policy"] == "compact")
            try again.deleteTopics(["t"])
            #expect(try again.committedOffsets(group: "t") == [TopicPartition("tt", 0): CommittedOffset(5)])
            again.close()
        }
    }

    @Test func `all batches of a deleted topic go, also those that one transaction leaves`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t")])
        for index in 0..<300 { try log.write([TestRecord("k", "\(index)")], to: "t") }
        try log.deleteTopics(["t"])
        log.close()
        let environment = try LMDBEnvironment(
            path: folder.path + "/log/log.mdb", options: LMDBOptions(mapSize: 1 << 30))
        let read = try environment.read()
        #expect(try read.count(read.openDatabase("records")) == 0)
    }

    @Test func `a refused transaction names the topic that is gone`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("a"), TopicSpecification("b", partitions: 2)])
        let transactional = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "tx"))
        let plain = try log.makeProducer(ProducerConfiguration(clientID: "c"))
        try transactional.beginTransaction()
        for producer in [transactional, plain] {
            try producer.send(TestRecord("k", "1"), to: try producer.number(ofTopic: "a"))
            try producer.send(TestRecord("k", "1"), to: try producer.number(ofTopic: "b"), 1)
        }
        try log.deleteTopics(["b"])
        for flush in [{ _ = try transactional.commitTransaction(offsets: [:], group: nil) }, { try plain.flush() }] {
            do {
                try flush()
                Issue.record("no failure")
            } catch let error as LogError {
                #expect(error.code == .unknownTopic && error.topic == "b" && error.partition == 1, "\(error)")
            }
        }
        #expect(try log.read("a").isEmpty)
    }
}
