internal import TributaryCore
internal import TributaryDSL
internal import TributaryLineage

/// What a thread does at a commit, and what it shows of itself.
extension ThreadLoop {
    /// Caches, producer, log, and sometimes the state.
    func commit(force: Bool) throws {
        let dirty = dirty.map(\.task)
        guard !dirty.isEmpty || force else { return }
        let began = batchSpans?.now ?? 0
        do {
            let outcome = try committer.commit(dirty, andDurably: force ? tasks : [])
            if let time = outcome.logTime {
                thread.metrics.commits.add()
                thread.metrics.commitTime.observe(time)
            }
            if let time = outcome.stateTime { thread.metrics.stateCommitTime.observe(time) }
        } catch {
            batchSpans?.committed(dirty, since: began, error: error)
            throw error
        }
        batchSpans?.committed(dirty, since: began)
        recorder.settle(.committed)
        committed()
        thread.noteProgress()
        noteRedone()
        lastCommit = context.configuration.time.monotonic.milliseconds
        if lastCommit - lastPurge >= 30_000 || force { try purge() }
    }

    // Records of repartition topics are done with once they are committed: right after a commit, all that were processed.
    private func purge() throws {
        lastPurge = lastCommit
        var before: [TopicPartition: Int64] = [:]
        for item in running {
            for queue in item.task.queues where queue.isInternal {
                before[queue.partition] = queue.nextOffset
            }
        }
        guard !before.isEmpty else { return }
        do throws(LogError) {
            try context.log.deleteRecords(before: before)
            context.configuration.killPoint?(.purged)
        } catch {
            // They only take room until the next time.
            guard error.isRetriable else { throw error }
            context.configuration.log(
                .warning, "processed records of repartition topics could not be deleted", [("error", "\(error)")],
                source: "TributaryRuntime")
        }
    }

    /// Shows what some tasks have done.
    func publish(_ items: [RunningTask]) {
        for item in items {
            var lag: Int64 = 0
            var buffered = 0
            for (index, queue) in item.task.queues.enumerated() {
                let left = max(consumer.knownEnd(queue.assignment) - queue.nextOffset, 0)
                item.metrics.set(lag: left, ofQueue: index)
                lag += left
                buffered += queue.count
            }
            item.lag = lag
            item.metrics.buffered.set(Double(buffered))
            item.publish(to: thread)
        }
    }

    func publishStores() {
        for item in running { item.metrics.publishStores() }
        thread.metrics.lineage.publish(recorder, collector, tasks)
    }
}
