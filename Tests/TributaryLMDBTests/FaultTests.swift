import Glibc
import Synchronization
import TestSupport
import Testing
import TributaryCore
import TributaryLMDB

@Suite(.timeLimit(.minutes(10))) struct FaultTests {
    @Test func `a full disk at any write loses nothing that was committed and leaves nothing of what was not`() throws {
        let folder = try TemporaryFolder()
        let faults = LMDBFaults()
        let log = try openLog(folder) { $0.faults = faults }
        try log.createTopics([TopicSpecification("t", partitions: 2), TopicSpecification("in")])
        let group = try log.joinGroup(GroupConfiguration(group: "g", clientID: "c", tasks: 1))
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "tx"))
        let topic = try producer.number(ofTopic: "t")
        let place = TopicPartition("in", 0)
        var committed: [Int] = []
        var failures = 0
        for write in 1...12 {
            try producer.beginTransaction()
            for partition: Int32 in 0...1 { try producer.send(TestRecord("k", "\(write)"), to: topic, partition) }
            if write <= 8 { faults.failWrite(write) } else { faults.failCommit(1) }
            let failure = code {
                _ = try producer.commitTransaction(offsets: [place: CommittedOffset(Int64(write))], group: group)
            }
            faults.clear()
            if failure == nil {
                committed.append(write)
                continue
            }
            failures += 1
            #expect(failure == .diskFull)
            #expect(try log.committedOffsets(group: "g")[place]?.offset == committed.last.map(Int64.init))
            if write % 2 == 0 {
                // Space again: the same transaction can still be committed.
                _ = try producer.commitTransaction(offsets: [place: CommittedOffset(Int64(write))], group: group)
                committed.append(write)
            } else {
                try producer.abortTransaction()
            }
            for partition: Int32 in 0...1 {
                #expect(try log.texts("t", partition) == committed.enumerated().map { "\($0.offset) k=\($0.element)" })
            }
            #expect(try log.committedOffsets(group: "g")[place]?.offset == committed.last.map(Int64.init))
        }
        // A commit of two batches, offsets and an epoch takes 7 writes, so the 8th doesn't come to fail.
        #expect(failures == 11 && committed == [2, 4, 6, 8, 10, 12])
        #expect(try log.verify().isEmpty)
    }

    @Test func `a map at its limit is a typed error and what was committed stays`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder) { $0.mapSize = 1 << 20 }
        try log.createTopics([TopicSpecification("t")])
        try log.write([TestRecord("k", "1")], to: "t")
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "tx"))
        let topic = try producer.number(ofTopic: "t")
        try producer.beginTransaction()
        for _ in 0..<20 { try producer.send(TestRecord("k", String(repeating: "x", count: 100_000)), to: topic) }
        #expect(code { _ = try producer.commitTransaction(offsets: [:], group: nil) } == .mapFull)
        try producer.abortTransaction()
        #expect(try log.texts("t") == ["0 k=1"])
        try log.write([TestRecord("k", "2")], to: "t")
        #expect(try log.texts("t") == ["0 k=1", "1 k=2"])
    }

    @Test func `a flipped bit in a batch is an error with coordinates and the rest is read`() throws {
        let folder = try TemporaryFolder()
        do {
            let log = try openLog(folder)
            try log.createTopics([TopicSpecification("t")])
            for index in 0..<3 { try log.write((0..<10).map { TestRecord("k", "batch\(index) record\($0)") }, to: "t") }
            log.close()
        }
        try replace(in: folder.path + "/log/log.mdb", "batch1 record4", by: "batch1 recorD4")
        let log = try openLog(folder)
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "c"))
        let assignment = try consumer.assign(TopicPartition("t", 0), from: 0)
        #expect(try consumer.poll(timeout: 0)?.count == 10)
        for _ in 0..<2 {
            do {
                _ = try consumer.poll(timeout: 0)
                Issue.record("no failure")
            } catch {
                #expect(error.code == .corrupt && error.topic == "t" && error.partition == 0)
                #expect(error.offset == 10 && error.resumeOffset == 20)
            }
        }
        consumer.seek(assignment, to: 20)
        #expect(try consumer.poll(timeout: 0)?.offset(0) == 20)
        let findings = try log.verify()
        #expect(findings.count == 1 && findings[0].code == .corrupt && findings[0].offset == 10)
    }

    @Test(arguments: [1, 4096, 8191, 20_000]) func `a file cut short is refused`(_ size: Int) throws {
        let folder = try TemporaryFolder()
        try makeLog(folder)
        #expect(unsafe truncate(folder.path + "/log/log.mdb", size) == 0)
        #expect(code { _ = try openLog(folder) } == .corrupt)
    }

    @Test(arguments: [0, 10, 16, 40, 136, 144, 4096 + 128]) func `a bad meta page is refused`(_ offset: Int) throws {
        let folder = try TemporaryFolder()
        try makeLog(folder)
        try overwrite(folder.path + "/log/log.mdb", at: offset, [0xa5, 0xa5, 0x5a, 0x5a, 0xa5, 0xa5, 0x5a, 0x5a])
        #expect(code { _ = try openLog(folder) } == .corrupt)
    }

    @Test func `a file that lacks free pages only is whole`() throws {
        let folder = try TemporaryFolder()
        try makeLog(folder)
        let path = folder.path + "/log/log.mdb"
        do {
            let environment = try LMDBEnvironment(path: path, options: LMDBOptions(mapSize: 1 << 30))
            var write = try environment.write()
            let meta = try write.openDatabase("meta")
            let large = [UInt8](repeating: 1, count: 1 << 20)
            unsafe try write.put(meta, Array("x".utf8).span.bytes, large.span.bytes)
            unsafe try write.delete(meta, Array("x".utf8).span.bytes)
            try write.commit()
            var status = stat()
            #expect(unsafe stat(path, &status) == 0)
            #expect(Int(status.st_size) < environment.usedBytes)
        }
        #expect(try openLog(folder).read("t").count == 10)
    }

    @Test func `a commit that fails with an input or output error did not happen`() throws {
        let folder = try TemporaryFolder()
        let faults = LMDBFaults()
        let log = try openLog(folder) { $0.faults = faults }
        try log.createTopics([TopicSpecification("t")])
        faults.failCommit(1, code: EIO)
        #expect(code { try log.write([TestRecord("k", "1")], to: "t") } == .io)
        faults.clear()
        #expect(try log.texts("t").isEmpty)
    }

    @Test func `closing a log writes what was handed over, and it opens again at once`() throws {
        let folder = try TemporaryFolder()
        for round in 0..<30 {
            let log = try openLog(folder) { $0.linger = .milliseconds(60_000) }
            if round == 0 { try log.createTopics([TopicSpecification("t")]) }
            let producer = try log.makeProducer(ProducerConfiguration(clientID: "c"))
            try producer.send(TestRecord("k", "\(round)"), to: try producer.number(ofTopic: "t"))
            log.close()
        }
        #expect(try openLog(folder).read("t").count == 30)
    }

    @Test func `a log of a newer format is refused`() throws {
        let folder = try TemporaryFolder()
        try makeLog(folder)
        do {
            let environment = try LMDBEnvironment(
                path: folder.path + "/log/log.mdb", options: LMDBOptions(mapSize: 1 << 30))
            var write = try environment.write()
            let meta = try write.openDatabase("meta")
            let key = Array("format".utf8)
            let value: [UInt8] = [0, 0, 0, 3]
            unsafe try write.put(meta, key.span.bytes, value.span.bytes)
            try write.commit()
        }
        #expect(code { _ = try openLog(folder) } == .unknownFormat)
        #expect(code { _ = try openLog(folder) } == .unknownFormat)
    }

    @Test func `another map size in the same process is refused, the same is shared`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        let second = try openLog(folder)
        #expect(second.clusterID == log.clusterID)
        #expect(code { _ = try openLog(folder) { $0.mapSize = 1 << 29 } } == .configuration)
        log.close()
        try second.createTopics([TopicSpecification("t")])
        try second.write([TestRecord("k", "1")], to: "t")
        #expect(try second.texts("t") == ["0 k=1"])
    }

    private func makeLog(_ folder: TemporaryFolder) throws {
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t")])
        for index in 0..<10 {
            try log.write([TestRecord("k", "\(index)" + String(repeating: "x", count: 5000))], to: "t")
        }
        log.close()
    }
}

/// Replaces bytes of a file.
func overwrite(_ path: String, at offset: Int, _ bytes: [UInt8]) throws {
    let descriptor = unsafe open(path, O_RDWR)
    guard descriptor >= 0 else { throw SystemFailure(path) }
    defer { close(descriptor) }
    guard unsafe pwrite(descriptor, bytes, bytes.count, offset) == bytes.count else { throw SystemFailure(path) }
}
