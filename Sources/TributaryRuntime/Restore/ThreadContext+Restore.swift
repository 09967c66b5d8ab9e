internal import TributaryCore
internal import TributaryDSL

extension ThreadContext {
    /// Opens and restores the state of a task, and finds where its sources begin; on the thread that restores.
    ///
    /// - Throws: `LogError.Code.closed` if the thread is asked to stop meanwhile.
    func restore(
        _ item: TopicPlan.Task, _ configuration: RuntimeConfiguration, thread: Int,
        isStopping: @escaping @Sendable () -> Bool
    ) throws -> RestoreThread.Restored {
        let parts = topology.subTopologies.filter { $0.id == item.subTopology }
        let sources = plan.names.sourcePartitions(parts, item.partition, counts: plan.partitions)
        var told = configuration
        told.log = configuration.log.adding([("task", item.id)])
        let start = try TaskStart(sources, log: log, group: group, names: plan.names, configuration: told)
        // Those of the task before an error, or of a restore that was given up.
        metrics.remove(
            labelled: TaskMetrics.labels(item.id, clientID: configuration.applicationID, thread: thread))
        let state = try TaskState(
            topology, parts, task: item.id, partition: item.partition, configuration: configuration, engines: engines)
        do {
            try StateRestorer(
                log, configuration: configuration, metrics: metrics, thread: thread, isStopping: isStopping,
                onProgress: onRestore
            ).restore(state, at: start)
        } catch {
            state.close()
            if let error = error as? LogError, error.code == .closed { throw error }
            throw TaskFailure(step: .restore, node: nil, task: item.id, coordinate: nil, cause: error)
        }
        return RestoreThread.Restored(state: state, start: start)
    }
}
