import Glibc
import TestSupport
import Testing
import TributaryCore
import TributaryLMDB

@Suite(.timeLimit(.minutes(10)), .serialized) struct CommitOutcomeTests {
    @Test func `a commit that failed stays failed though another process commits before anyone asks`() throws {
        let folder = try TemporaryFolder()
        let faults = LMDBFaults()
        let log = try openLog(folder) { $0.faults = faults }
        try log.createTopics([TopicSpecification("t")])
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "tx"))
        let topic = try producer.number(ofTopic: "t")
        for error in [ENOSPC, EIO] {
            let others = try log.read("t").count
            try producer.beginTransaction()
            try producer.send(TestRecord("k", "mine"), to: topic)
            faults.afterFailedCommit {
                do { _ = try startChild("commit", folder) } catch { Issue.record(error) }
            }
            faults.failCommit(1, code: error)
            let failure = code { _ = try producer.commitTransaction(offsets: [:], group: nil) }
            faults.afterFailedCommit(nil)
            faults.clear()
            #expect(failure == (error == ENOSPC ? .diskFull : .io))
            try producer.abortTransaction()
            let values = try log.read("t").compactMap(\.value).map { String(decoding: $0, as: UTF8.self) }
            #expect(values == Array(repeating: "child", count: others + 1))
        }
        #expect(try log.lastCommit() == log.lastCommit(transactionalID: "child"))
    }

    @Test func `a commit whose meta page can't be written has an unknown outcome, and the log must be opened again`()
        throws
    {
        let folder = try TemporaryFolder()
        let path = folder.path + "/log/log.mdb"
        do {
            let log = try openLog(folder) { $0.durability = .synced }
            try log.createTopics([TopicSpecification("t")])
            let producer = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "tx"))
            try producer.beginTransaction()
            try producer.send(TestRecord("k", "1"), to: try producer.number(ofTopic: "t"))
            // LMDB writes meta pages through a descriptor of their own, which waits for the disk.
            let meta = descriptors(of: path).filter { fcntl($0, F_GETFL) & O_DSYNC != 0 }
            #expect(meta.count == 1)
            let closed = unsafe open("/dev/null", O_RDONLY)
            for descriptor in meta { #expect(dup2(closed, descriptor) == descriptor) }
            close(closed)
            do {
                _ = try producer.commitTransaction(offsets: [:], group: nil)
                Issue.record("no failure")
            } catch {
                #expect(error.code == .outcomeUnknown && error.message.contains("commit 1 "), "\(error)")
            }
            #expect(code { try producer.send(TestRecord("k", "2"), to: 0) } == .outcomeUnknown)
            #expect(code { _ = try log.lastCommit() } == .io)
            log.close()
        }
        let log = try openLog(folder)
        // Here LMDB could put the old page back.
        #expect(try log.lastCommit(transactionalID: "tx") == 0)
        #expect(try log.texts("t").isEmpty)
        try log.write([TestRecord("k", "3")], to: "t")
        #expect(try log.verify().isEmpty)
    }

    @Test func `a commit that happened without its answer is not written twice when it is tried again`() throws {
        let folder = try TemporaryFolder()
        let faults = LMDBFaults()
        let log = try openLog(folder) { $0.faults = faults }
        try log.createTopics([TopicSpecification("t")])
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "tx"))
        let topic = try producer.number(ofTopic: "t")
        for round in 1...3 {
            try producer.beginTransaction()
            try producer.send(TestRecord("k", "\(round)"), to: topic)
            faults.loseAnswer(ofCommit: 1)
            #expect(code { _ = try producer.commitTransaction(offsets: [:], group: nil) } == .outcomeUnknown)
            #expect(code { try producer.send(TestRecord("k", "later"), to: topic) } == .outcomeUnknown)
            let last = try log.lastCommit(transactionalID: "tx")
            if round == 2 {
                try producer.abortTransaction()
            } else {
                #expect(try producer.commitTransaction(offsets: [:], group: nil) == last)
                #expect(producer.lastOffset(topic: topic, partition: 0) == Int64(round - 1))
            }
        }
        #expect(try log.texts("t") == ["0 k=1", "1 k=2", "2 k=3"])
    }

    @Test func `a doubtful commit is not taken for another producer's of the same id and number`() throws {
        let folder = try TemporaryFolder()
        let faults = LMDBFaults()
        let log = try openLog(folder) { $0.faults = faults }
        try log.createTopics([TopicSpecification("t")])
        let old = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "tx"))
        try old.beginTransaction()
        try old.send(TestRecord("k", "old"), to: try old.number(ofTopic: "t"))
        faults.loseAnswer(ofCommit: 1)
        #expect(code { _ = try old.commitTransaction(offsets: [:], group: nil) } == .outcomeUnknown)
        _ = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "tx"))
        #expect(code { _ = try old.commitTransaction(offsets: [:], group: nil) } == .fenced)
    }
}
