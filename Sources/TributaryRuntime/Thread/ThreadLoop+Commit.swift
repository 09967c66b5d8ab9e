internal import TributaryCore
internal import TributaryDSL
internal import TributaryLineage

/// What a thread does at a commit, and what it shows of itself.
extension ThreadLoop {
    /// Design, section 10: caches, producer, log, and sometimes the state.
    func commit(force: Bool) throws {
        let dirty = tasks.filter(\.needsCommit)
        guard !dirty.isEmpty || force else { return }
        let began = batchSpans?.now ?? 0
        do {
            let outcome = try committer.commit(dirty, of: tasks, force: force)
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
        thread.noteProgress()
        lastCommit = context.configuration.time.monotonic.milliseconds
        if lastCommit - lastPurge >= 30_000 || force { try purge() }
    }

    // Records of repartition topics are done with once they are committed: right after a commit, all that were processed.
    private func purge() throws {
        lastPurge = lastCommit
        var before: [TopicPartition: Int64] = [:]
        for item in measured {
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

    func publish() {
        var (records, dropped) = thread.carried
        var lag: Int64 = 0
        for item in measured {
            let (task, metrics) = (item.task, item.metrics)
            records += task.processedRecords
            dropped += metrics.publishDropped(task)
            var buffered = 0
            for queue in task.queues {
                let left = max(consumer.knownEnd(queue.assignment) - queue.nextOffset, 0)
                metrics.set(lag: left, of: queue.partition)
                lag += left
                buffered += queue.count
            }
            metrics.buffered.set(Double(buffered))
        }
        thread.metrics.processed.set(records)
        thread.metrics.dropped.set(dropped)
        thread.metrics.lag.set(lag)
    }

    func publishStores() {
        lastPublished = context.configuration.time.monotonic.milliseconds
        for item in measured { item.metrics.publishStores() }
        thread.metrics.lineage.publish(recorder, collector, tasks)
    }
}
